import type { Issue } from "../../base/issue.ts";
import { suggest } from "../../base/suggest.ts";
import { GRPC_STATUS_NAMES } from "../grpc-status.ts";
import type { HttpFault, HttpFaultAbort, HttpFaultDelay } from "../http-route.ts";
import type { Percent } from "../percent.ts";

/** The smallest part of all requests that Envoy can count: one in a million. */
const PERCENT_MIN = 0.0001;

/** `http[].fault`. */
export function validateFault(fault: HttpFault | undefined, path: string): readonly Issue[] {
  if (fault === undefined) return [];
  const { delay, abort } = fault;
  if (delay === undefined && abort === undefined) {
    return [{ path, message: 'must have at least one of "delay", "abort"' }];
  }
  return [
    ...(delay === undefined ? [] : validateDelay(delay, `${path}.delay`)),
    ...(abort === undefined ? [] : validateAbort(abort, `${path}.abort`)),
  ];
}

/** A status that an answer of the proxy's own may have. */
export function validateHttpStatus(status: number, path: string): readonly Issue[] {
  if (status >= 200 && status <= 599) return [];
  return [{ path, message: `must be between 200 and 599: got ${status}` }];
}

function validateDelay(delay: HttpFaultDelay, path: string): readonly Issue[] {
  const issues: Issue[] = [...validatePercentage(delay.percentage, `${path}.percentage`)];
  const { percent } = delay;
  if (percent !== undefined) {
    const where = `${path}.percent`;
    if (percent < 0 || percent > 100) {
      issues.push({ path: where, message: `must be between 0 and 100: got ${percent}` });
    }
    issues.push({
      path: where,
      message: "is deprecated, use percentage",
      severity: "warning",
    });
  }
  if (delay.exponentialDelay !== undefined) {
    const message = "is not supported, by Envoy neither: use fixedDelay";
    issues.push({ path: `${path}.exponentialDelay`, message });
  } else if (delay.fixedDelay === undefined) {
    const message = "has no effect: there is no fixedDelay";
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}

function validateAbort(abort: HttpFaultAbort, path: string): readonly Issue[] {
  const issues: Issue[] = [...validatePercentage(abort.percentage, `${path}.percentage`)];
  const { httpStatus, grpcStatus } = abort;
  if (abort.http2Error !== undefined) {
    const message = "is not supported, by Envoy neither: use httpStatus or grpcStatus";
    issues.push({ path: `${path}.http2Error`, message });
  } else if (grpcStatus !== undefined) {
    issues.push(...validateGrpcStatus(grpcStatus, `${path}.grpcStatus`));
  } else if (httpStatus !== undefined) {
    issues.push(...validateHttpStatus(httpStatus, `${path}.httpStatus`));
  } else {
    const message = "has no effect: there is neither httpStatus nor grpcStatus";
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}

function validateGrpcStatus(status: string, path: string): readonly Issue[] {
  if (GRPC_STATUS_NAMES.includes(status)) return [];
  const meant = suggest(status.toUpperCase(), GRPC_STATUS_NAMES);
  const hint =
    meant === undefined ? ', write its name, such as "NOT_FOUND"' : `, did you mean "${meant}"?`;
  return [{ path, message: `must be a status code of gRPC: got ${JSON.stringify(status)}${hint}` }];
}

function validatePercentage(percent: Percent | undefined, path: string): readonly Issue[] {
  const { value = 0 } = percent ?? {};
  if (value === 0 || (value >= PERCENT_MIN && value <= 100)) return [];
  const message = `must be 0, or between ${PERCENT_MIN} and 100: got ${value}`;
  return [{ path: `${path}.value`, message }];
}
