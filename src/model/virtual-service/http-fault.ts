import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import { GRPC_STATUS_NAMES } from "../../config/grpc-status.ts";
import type {
  HttpFaultAbort,
  HttpFaultDelay,
  HttpFault as Written,
} from "../../config/http-route.ts";
import type { Percent } from "../../config/percent.ts";
import type { HttpFault } from "../route.ts";

const MILLION = 1_000_000;

/** A part of all requests in a million, as Istio rounds it: down. */
export function perMillionOf({ value = 0 }: Percent): number {
  return clamp(Math.trunc(value * 10_000));
}

/** The same of whole percents. */
export function perMillionOfPercent(percent: number): number {
  return clamp(percent * 10_000);
}

function clamp(perMillion: number): number {
  return Math.min(MILLION, Math.max(0, perMillion));
}

/** What a rule makes go wrong; what cannot be made is left out of it. */
export function buildHttpFault(
  written: Written | undefined,
  path: string,
  issues: Issue[],
): HttpFault | undefined {
  if (written === undefined) return undefined;
  const delay = written.delay && buildDelay(written.delay, `${path}.delay`, issues);
  const abort = written.abort && buildAbort(written.abort, `${path}.abort`, issues);
  return delay === undefined && abort === undefined ? undefined : { delay, abort };
}

function buildDelay(
  { percent, percentage, fixedDelay, exponentialDelay }: HttpFaultDelay,
  path: string,
  issues: Issue[],
): HttpFault["delay"] {
  const ms = fixedDelay === undefined ? undefined : parseDurationMs(fixedDelay);
  if (ms === undefined || ms <= 0) {
    const [field, message] =
      exponentialDelay === undefined
        ? ["fixedDelay", "must be there, and above 0: nothing is delayed"]
        : ["exponentialDelay", "has no effect, as in Istio: use fixedDelay"];
    issues.push({ path: `${path}.${field}`, message, severity: "warning" });
    return undefined;
  }
  const perMillion =
    percentage === undefined ? perMillionOfPercent(percent ?? 0) : perMillionOf(percentage);
  return { ms, perMillion };
}

function buildAbort(
  { httpStatus, grpcStatus, http2Error, percentage }: HttpFaultAbort,
  path: string,
  issues: Issue[],
): HttpFault["abort"] {
  const perMillion = percentage === undefined ? 0 : perMillionOf(percentage);
  const refuse = (field: string, message: string): undefined => {
    issues.push({ path: `${path}.${field}`, message, severity: "warning" });
  };
  if (httpStatus !== undefined) {
    return httpStatus >= 200 && httpStatus <= 599
      ? { status: { http: httpStatus }, perMillion }
      : refuse("httpStatus", `${httpStatus} cannot be answered: nothing is aborted`);
  }
  if (grpcStatus !== undefined) {
    const grpc = GRPC_STATUS_NAMES.indexOf(grpcStatus);
    return grpc === -1
      ? refuse("grpcStatus", `"${grpcStatus}" is not a status of gRPC's: nothing is aborted`)
      : { status: { grpc }, perMillion };
  }
  return http2Error === undefined
    ? refuse("httpStatus", "must be there: nothing is aborted")
    : refuse("http2Error", "has no effect, as in Istio: use httpStatus or grpcStatus");
}
