/** One thing that is wrong with an input, for its author. */
export interface Issue {
  /** Where in the input, as Kubernetes writes paths: `spec.http[0].match[0].uri`; "" for all of it. */
  readonly path: string;
  /** Lower case: what is wrong, the value, and the way out when it is known. */
  readonly message: string;
  /** A warning does not refuse the input. Absent means error. */
  readonly severity?: "error" | "warning";
}

/** Input that can be wrong is data: a value, or all that is wrong with it. */
export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly warnings?: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** `path: message`, or the message alone when it concerns the whole input. */
export function formatIssue({ path, message }: Issue): string {
  return path === "" ? message : `${path}: ${message}`;
}

/** Whether an issue refuses its input. */
export function isError(issue: Issue): boolean {
  return issue.severity !== "warning";
}
