import {
  OnDemandSchema,
  PerRouteConfigSchema,
} from "../../api/gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { OnDemandFilter } from "../http-filter/on-demand.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.on_demand` in a connection manager; clusters are not asked for so yet. */
export const ON_DEMAND = extension(OnDemandSchema, (message, path, issues) => {
  issues.push(...refuseFields(OnDemandSchema, message, [], path));
  return { open: () => (stream: FilterStream) => new OnDemandFilter(stream) };
});

/** What a route says to it: nothing, as long as it concerns clusters alone. */
export const ON_DEMAND_OF_ROUTE = extension(PerRouteConfigSchema, (message, path, issues) => {
  issues.push(...refuseFields(PerRouteConfigSchema, message, [], path));
  return { filter: "on_demand" };
});
