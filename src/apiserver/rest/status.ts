import type { Issue } from "../../base/issue.ts";
import { formatIssue, isError } from "../../base/issue.ts";
import type { Kind } from "../../config/kind.ts";
import { StorageError } from "../../storage/storage.ts";

/** HTTP code by reason, as Kubernetes pairs them. */
const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  NotImplemented: 501,
} as const;

/** Why a request is refused: Kubernetes' `Status.reason`. */
export type Reason = keyof typeof CODES;

/** What `Status.details` names. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The plural, as Kubernetes has it. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly {
    readonly reason: string;
    readonly message: string;
    readonly field: string;
  }[];
}

/** A request that is refused; becomes a `Status` object. */
export class ApiError extends Error {
  readonly reason: Reason;
  readonly details: StatusDetails | undefined;

  constructor(reason: Reason, message: string, details?: StatusDetails) {
    super(message);
    this.name = "ApiError";
    this.reason = reason;
    this.details = details;
  }

  get code(): number {
    return CODES[this.reason];
  }
}

/** The body of a refusal. */
export function failureStatus(error: ApiError): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: error.message,
    reason: error.reason,
    ...(error.details === undefined ? {} : { details: error.details }),
    code: error.code,
  };
}

/** The body of what has no better answer: a removal. */
export function successStatus(details: StatusDetails): object {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details, code: 200 };
}

/** An object that its kind does not accept: every problem in the message, and as a cause. */
export function invalidObject(kind: Kind, name: string, issues: readonly Issue[]): ApiError {
  const errors = issues.filter(isError);
  const text = errors.map(formatIssue);
  const qualified = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const all = text.length === 1 ? text[0] : `[${text.join(", ")}]`;
  return new ApiError("Invalid", `${qualified} "${name}" is invalid: ${all}`, {
    name,
    group: kind.group,
    kind: kind.kind,
    causes: errors.map(({ path, message }) => ({
      reason: causeReason(message),
      message,
      field: path === "" ? "<nil>" : path,
    })),
  });
}

function causeReason(message: string): string {
  if (message.startsWith("is required")) return "FieldValueRequired";
  if (message.startsWith("duplicate of")) return "FieldValueDuplicate";
  if (message.startsWith("unknown field")) return "FieldValueForbidden";
  if (message.startsWith("must be one of")) return "FieldValueNotSupported";
  return "FieldValueInvalid";
}

/** A refusal of the storage, as the API words it; anything else is not ours to explain. */
export function fromStorageError(error: unknown, kind: Kind, name: string): unknown {
  if (!(error instanceof StorageError)) return error;
  const details = { name, group: kind.group, kind: kind.plural };
  const subject = `${qualifiedPlural(kind)} "${name}"`;
  switch (error.reason) {
    case "NotFound":
      return new ApiError("NotFound", `${subject} not found`, details);
    case "AlreadyExists":
      return new ApiError("AlreadyExists", `${subject} already exists`, details);
    case "Conflict":
      return new ApiError(
        "Conflict",
        `Operation cannot be fulfilled on ${subject}: ${error.message}`,
        details,
      );
    case "Invalid":
      return invalidObject(kind, name, error.issues);
    case "Expired":
      return new ApiError("Expired", error.message);
  }
}

/** `services`, `virtualservices.networking.istio.io`. */
export function qualifiedPlural({ plural, group }: Kind): string {
  return group === "" ? plural : `${plural}.${group}`;
}
