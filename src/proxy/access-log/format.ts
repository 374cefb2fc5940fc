import type { Issue } from "../../base/issue.ts";
import { wireText } from "../../match/wire-text.ts";
import type { LogEntry } from "./access-log.ts";

/** Writes one entry; compiled once from the format. */
export type EntryFormat = (entry: LogEntry) => string;

/** Envoy's format when none is given. */
export const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% " +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

type Operator = (entry: LogEntry) => string | number | undefined;

const OPERATORS: Readonly<Record<string, Operator>> = {
  ATTEMPT_COUNT: (entry) => entry.attempts,
  BYTES_RECEIVED: (entry) => entry.bytesReceived,
  BYTES_SENT: (entry) => entry.bytesSent,
  DOWNSTREAM_LOCAL_ADDRESS: (entry) => entry.localAddress,
  DOWNSTREAM_REMOTE_ADDRESS: (entry) => entry.downstreamAddress,
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: (entry) => entry.downstreamAddress.replace(/:\d+$/, ""),
  DURATION: (entry) => Math.round(entry.durationMs),
  PROTOCOL: (entry) => entry.protocol,
  RESPONSE_CODE: (entry) => entry.status,
  RESPONSE_CODE_DETAILS: (entry) => entry.details,
  RESPONSE_FLAGS: (entry) => entry.flag,
  ROUTE_NAME: (entry) => entry.routeName,
  START_TIME: (entry) => new Date(entry.startMs).toISOString(),
  UPSTREAM_CLUSTER: (entry) => entry.upstreamCluster,
  UPSTREAM_HOST: (entry) => entry.upstreamHost,
};

/** `%NAME%`, `%NAME(argument)%` or `%NAME(argument):length%`; `%%` is one percent sign. */
const COMMAND = /%(?:([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?)?%/g;

/** Compiles a text format. An operator that is not built is refused by name. */
export function compileFormat(format: string, path: string, issues: Issue[]): EntryFormat {
  const parts: ((entry: LogEntry) => string)[] = [];
  let at = 0;
  for (const match of format.matchAll(COMMAND)) {
    addLiteral(parts, format.substring(at, match.index), path, issues);
    at = match.index + match[0].length;
    const [whole, name = "", argument, length] = match;
    if (whole === "%%") {
      parts.push(() => "%");
      continue;
    }
    if (length !== undefined && argument === undefined) {
      issues.push({ path, message: `${name} does not allow length to be specified.` });
    }
    const operator = findOperator(name, argument);
    if (operator === undefined) {
      issues.push({ path, message: `operator ${whole} is not supported yet` });
      continue;
    }
    const max = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    // Envoy writes a dash for what is not there.
    parts.push((entry) => String(operator(entry) || "-").substring(0, max));
  }
  addLiteral(parts, format.substring(at), path, issues);
  return (entry) => {
    let line = "";
    for (const part of parts) line += part(entry);
    return line;
  };
}

function addLiteral(
  parts: ((entry: LogEntry) => string)[],
  text: string,
  path: string,
  issues: Issue[],
): void {
  if (text === "") return;
  const percent = text.indexOf("%");
  if (percent !== -1) {
    issues.push({ path, message: `no operator can be read at "${text.substring(percent)}"` });
  }
  const bytes = wireText(text);
  parts.push(() => bytes);
}

function findOperator(name: string, argument: string | undefined): Operator | undefined {
  if (argument === undefined) {
    // Zero is a value: only what is empty becomes a dash.
    const operator = OPERATORS[name];
    return operator && ((entry) => nonZero(operator(entry)));
  }
  const [first = "", second, third] = argument.toLowerCase().split("?");
  if (first === "" || third !== undefined) return undefined;
  if (name === "REQ") {
    return (entry) =>
      entry.requestHeader(first) ??
      (second === undefined ? undefined : entry.requestHeader(second));
  }
  if (name === "RESP") {
    return (entry) =>
      entry.responseHeader(first) ??
      (second === undefined ? undefined : entry.responseHeader(second));
  }
  return undefined;
}

function nonZero(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
