import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { CorsPolicySchema } from "../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import {
  type FaultAbortSchema,
  HTTPFaultSchema,
} from "../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import {
  FractionalPercent_DenominatorType,
  type FractionalPercentSchema,
} from "../api/gen/envoy/type/v3/percent_pb.js";
import { packAny } from "../api/type-url.ts";
import type { CorsPolicy, HttpFault, Route } from "../model/route.ts";
import { stringMatcher } from "./route-match.ts";
import { duration } from "./wire.ts";

const CORS = "envoy.filters.http.cors";
const FAULT = "envoy.filters.http.fault";
const MILLION = 1_000_000;

/** What a route says to HTTP filters of its listener, by their names, sorted. */
export function routeFilterConfig({
  cors,
  fault,
}: Pick<Route, "cors" | "fault">): Record<string, Any> {
  return {
    ...(cors !== undefined && { [CORS]: packAny(CorsPolicySchema, corsPolicy(cors)) }),
    ...(fault !== undefined && { [FAULT]: packAny(HTTPFaultSchema, httpFault(fault)) }),
  };
}

function corsPolicy(policy: CorsPolicy): MessageShape<typeof CorsPolicySchema> {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, maxAgeMs } = policy;
  return create(CorsPolicySchema, {
    allowOriginStringMatch: allowOrigins.map(stringMatcher),
    allowMethods: allowMethods.join(","),
    allowHeaders: allowHeaders.join(","),
    exposeHeaders: exposeHeaders.join(","),
    maxAge: maxAgeMs === undefined ? "" : String(Math.trunc(maxAgeMs / 1000)),
    ...(policy.allowCredentials !== undefined && { allowCredentials: policy.allowCredentials }),
    filterEnabled: { defaultValue: percent(MILLION) },
    forwardNotMatchingPreflights: policy.isUnmatchedForwarded,
  });
}

function httpFault({ delay, abort }: HttpFault): MessageShape<typeof HTTPFaultSchema> {
  return create(HTTPFaultSchema, {
    ...(delay !== undefined && {
      delay: {
        faultDelaySecifier: { case: "fixedDelay", value: duration(delay.ms) },
        percentage: percent(delay.perMillion),
      },
    }),
    ...(abort !== undefined && { abort: faultAbort(abort) }),
  });
}

function faultAbort({
  status,
  perMillion,
}: NonNullable<HttpFault["abort"]>): MessageInitShape<typeof FaultAbortSchema> {
  return {
    errorType:
      "http" in status
        ? { case: "httpStatus", value: status.http }
        : { case: "grpcStatus", value: status.grpc },
    percentage: percent(perMillion),
  };
}

/** A part of all requests; whole percents are written as such. */
export function percent(perMillion: number): MessageInitShape<typeof FractionalPercentSchema> {
  const inPercent = perMillion / 10_000;
  return Number.isInteger(inPercent)
    ? { numerator: inPercent, denominator: FractionalPercent_DenominatorType.HUNDRED }
    : { numerator: perMillion, denominator: FractionalPercent_DenominatorType.MILLION };
}
