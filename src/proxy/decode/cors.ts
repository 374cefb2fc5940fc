import { create } from "@bufbuild/protobuf";
import { CorsPolicySchema as RoutePolicySchema } from "../../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  CorsPolicySchema,
  CorsSchema,
} from "../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { decodeCorsPolicy } from "../../match/cors-policy.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { CORS_ZERO, CorsFilter, type CorsSettings, corsSettings } from "../http-filter/cors.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.cors` in a connection manager: what it does stands in routes. */
export const CORS = extension(CorsSchema, (message, path, issues) => {
  issues.push(...refuseFields(CorsSchema, message, [], path));
  return {
    open: ({ context, name, statPrefix }: FilterScope) => {
      const counters = context.counters.get(`${statPrefix}.cors`, CORS_ZERO);
      return (stream: FilterStream) => new CorsFilter(stream, name, counters);
    },
  };
});

/** The policy of a route; but for the first field it is the message of the older place. */
export const CORS_OF_ROUTE = extension(CorsPolicySchema, (message, path, issues): CorsSettings => {
  const { $typeName: _, filterEnabled, ...same } = message;
  const policy = create(RoutePolicySchema, {
    ...same,
    ...(filterEnabled && { enabledSpecifier: { case: "filterEnabled", value: filterEnabled } }),
  });
  return corsSettings(decodeCorsPolicy(policy, path, issues));
});
