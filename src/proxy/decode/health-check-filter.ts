import { HealthCheckSchema } from "../../api/gen/envoy/extensions/filters/http/health_check/v3/health_check_pb.js";
import { durationMs } from "../../match/duration-ms.ts";
import { compileHeaderMatch } from "../../match/header-match.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  HealthCheckCache,
  type HealthCheckConfig,
  HealthCheckFilter,
} from "../http-filter/health-check.ts";
import { extension } from "./extension.ts";

const FIELDS = ["pass_through_mode", "cache_time", "cluster_min_healthy_percentages", "headers"];

/** `envoy.filters.http.health_check` in a connection manager. */
export const HEALTH_CHECK = extension(HealthCheckSchema, (message, path, issues) => {
  issues.push(...refuseFields(HealthCheckSchema, message, FIELDS, path));
  const passesThrough = message.passThroughMode === true;
  const cacheMs = durationMs(message.cacheTime) ?? 0;
  if (!passesThrough && cacheMs > 0) {
    const what = "must not be set when pass_through_mode is disabled";
    issues.push({ path: joinPath(path, "cache_time"), message: what });
  }
  const percents = Object.entries(message.clusterMinHealthyPercentages);
  const config: HealthCheckConfig = {
    passesThrough,
    cacheMs,
    // Envoy counts whole percents only.
    clusters: percents.map(([name, { value }]) => ({ name, percent: Math.floor(value) })),
    criteria: message.headers.map((matcher, at) =>
      compileHeaderMatch(matcher, joinPath(path, `headers[${at}]`), issues),
    ),
  };
  return {
    open: ({ context }: FilterScope) => {
      const nowMs = context.clock.monotonicMs();
      const cache = cacheMs > 0 ? new HealthCheckCache(cacheMs, nowMs) : undefined;
      return (stream: FilterStream) => new HealthCheckFilter(stream, config, cache);
    },
  };
});
