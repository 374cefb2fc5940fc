import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
  type Mutations,
  MutationsSchema,
} from "../../api/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeMutationSteps } from "../../match/mutation-steps.ts";
import { decodeQueryMutations } from "../../match/query-mutations.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  HeaderMutationFilter,
  headerMutationSettings,
  type LevelSteps,
} from "../http-filter/header-mutation.ts";
import { extension } from "./extension.ts";
import { decodeFormatters } from "./formatters.ts";

/** `envoy.filters.http.header_mutation` in a connection manager. */
export const HEADER_MUTATION = extension(HeaderMutationSchema, (message, path, issues) => {
  const fields = ["mutations", "most_specific_header_mutations_wins"];
  issues.push(...refuseFields(HeaderMutationSchema, message, fields, path));
  const own = decodeLevel(message.mutations, joinPath(path, "mutations"), issues);
  const config = { own, mostSpecificWins: message.mostSpecificHeaderMutationsWins };
  return {
    open:
      ({ name }: FilterScope) =>
      (stream: FilterStream) =>
        new HeaderMutationFilter(stream, name, config),
  };
});

/** What each level of a route adds to the filter's own. */
export const HEADER_MUTATION_OF_ROUTE = extension(
  HeaderMutationPerRouteSchema,
  (message, path, issues) => {
    issues.push(...refuseFields(HeaderMutationPerRouteSchema, message, ["mutations"], path));
    const level = decodeLevel(message.mutations, joinPath(path, "mutations"), issues);
    return headerMutationSettings([level]);
  },
);

const FIELDS = [
  "request_mutations",
  "query_parameter_mutations",
  "response_mutations",
  "response_trailers_mutations",
  "request_trailers_mutations",
  "formatters",
];

const NONE: LevelSteps = {
  request: [],
  query: [],
  response: [],
  requestTrailers: [],
  responseTrailers: [],
};

function decodeLevel(message: Mutations | undefined, path: string, issues: Issue[]): LevelSteps {
  if (message === undefined) return NONE;
  issues.push(...refuseFields(MutationsSchema, message, FIELDS, path));
  const formatters = decodeFormatters(message.formatters, path, issues);
  const steps = (list: Mutations["requestMutations"], field: string) =>
    decodeMutationSteps(list, joinPath(path, field), issues, formatters);
  const queryPath = joinPath(path, "query_parameter_mutations");
  return {
    request: steps(message.requestMutations, "request_mutations"),
    query: decodeQueryMutations(message.queryParameterMutations, queryPath, issues, formatters),
    response: steps(message.responseMutations, "response_mutations"),
    requestTrailers: steps(message.requestTrailersMutations, "request_trailers_mutations"),
    responseTrailers: steps(message.responseTrailersMutations, "response_trailers_mutations"),
  };
}
