import type { Issue } from "../../base/issue.ts";
import type { Headers, HeaderOperations as Written } from "../../config/header-operations.ts";
import { checkHeaderValue } from "../../config/header-value.ts";
import { compareText } from "../origin.ts";
import { type HeaderOperations, type HeaderWrite, NO_OPERATIONS } from "../route.ts";

/** What is changed in the headers of requests and responses. */
export interface RuleHeaders {
  readonly request: HeaderOperations;
  readonly response: HeaderOperations;
  /** The host that requests get: what is said of `host` or `:authority`. */
  readonly authority: string | undefined;
}

const NO_HEADERS: RuleHeaders = {
  request: NO_OPERATIONS,
  response: NO_OPERATIONS,
  authority: undefined,
};

/** The operations of a rule or a destination, and what a proxy would refuse of them. */
export function buildHeaders(
  headers: Headers | undefined,
  path: string,
  issues: Issue[],
): RuleHeaders {
  if (headers === undefined) return NO_HEADERS;
  const { request, response } = headers;
  return {
    request: buildOperations(request, `${path}.request`, issues),
    response: buildOperations(response, `${path}.response`, issues),
    authority: authorityOf(request?.set) ?? authorityOf(request?.add),
  };
}

function buildOperations(
  written: Written | undefined,
  path: string,
  issues: Issue[],
): HeaderOperations {
  if (written === undefined) return NO_OPERATIONS;
  const { set = {}, add = {}, remove = [] } = written;
  const writes = (headers: Readonly<Record<string, string>>, isAdded: boolean) =>
    Object.entries(headers)
      .map(([name, value]): HeaderWrite => ({ name: name.toLowerCase(), value, isAdded }))
      .filter(({ name }) => !isPseudo(name))
      .sort((a, b) => compareText(a.name, b.name));
  const write = [...writes(set, false), ...writes(add, true)];
  for (const { name, value, isAdded } of write) {
    const problem = nameProblem(name) ?? valueProblem(value);
    if (problem === undefined) continue;
    issues.push({ path: `${path}.${isAdded ? "add" : "set"}[${name}]`, message: problem });
  }
  const names = remove.map((name) => name.toLowerCase()).filter((name) => !isPseudo(name));
  for (const name of names) {
    const problem = nameProblem(name);
    if (problem !== undefined) issues.push({ path: `${path}.remove`, message: problem });
  }
  return { remove: names, write };
}

function authorityOf(headers: Readonly<Record<string, string>> = {}): string | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (/^(?::authority|host)$/i.test(name) && value !== "") return value;
  }
  return undefined;
}

/** What a proxy does not let one write as a header; of them only the host has a meaning here. */
function isPseudo(name: string): boolean {
  return name.startsWith(":") || name === "host";
}

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** Of a name and of a value, for a proxy. */
const BYTES_MAX = 16_384;

function nameProblem(name: string): string | undefined {
  if (TOKEN.test(name) && name.length <= BYTES_MAX) return undefined;
  return `${JSON.stringify(name)} is not a header name`;
}

function valueProblem(value: string): string | undefined {
  if (Buffer.byteLength(value) > BYTES_MAX) return `must have at most ${BYTES_MAX} bytes`;
  return checkHeaderValue(value);
}

/** Both, in the order in which they stand. */
export function joinOperations(first: HeaderOperations, then: HeaderOperations): HeaderOperations {
  if (then === NO_OPERATIONS) return first;
  if (first === NO_OPERATIONS) return then;
  return { remove: [...first.remove, ...then.remove], write: [...first.write, ...then.write] };
}
