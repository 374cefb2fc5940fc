/** An answer of the API server that is a refusal. */
export class ApiStatusError extends Error {
  /** HTTP's, or that of a watch's `ERROR` event. */
  readonly code: number;
  /** Kubernetes' `Status.reason`; "" where there is none. */
  readonly reason: string;
  /** Milliseconds that the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = "ApiStatusError";
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What of `Status` says why. */
interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

/** The error that a `Status` object speaks of; `code` is for those that have none. */
export function errorFromStatus(body: unknown, code: number): ApiStatusError {
  const { message, reason, code: own, details } = (body ?? {}) as StatusBody;
  const seconds = details?.retryAfterSeconds;
  return new ApiStatusError(
    typeof own === "number" ? own : code,
    typeof reason === "string" ? reason : "",
    typeof message === "string" && message !== "" ? message : `HTTP status ${code}`,
    typeof seconds === "number" ? seconds * 1000 : undefined,
  );
}

/** Whether a version is too old to go on from: everything has to be listed again. */
export function isExpired(error: unknown): boolean {
  return (
    error instanceof ApiStatusError &&
    (error.code === 410 || error.reason === "Expired" || error.reason === "Gone")
  );
}

/** Whether an answer has that HTTP status. */
export function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiStatusError && error.code === code;
}
