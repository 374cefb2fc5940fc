import type { MatchHeaders } from "../../match/match-request.ts";

/** The value of the first cookie of that name, without quotes around it; "" when there is none. */
export function findCookie(headers: MatchHeaders, name: string): string {
  let found = "";
  headers.some("cookie", (header) => {
    const value = findIn(header, name);
    if (value === undefined) return false;
    found = value;
    return true;
  });
  return found;
}

/** Leaves out what is no pair of a name and a value. */
function findIn(header: string, name: string): string | undefined {
  for (let start = 0; start < header.length; ) {
    const semicolon = header.indexOf(";", start);
    const end = semicolon === -1 ? header.length : semicolon;
    while (start < end && header.charCodeAt(start) === 0x20) start++;
    const valueAt = start + name.length + 1;
    const isIt = header.startsWith(name, start) && header.charCodeAt(valueAt - 1) === 0x3d;
    if (isIt && valueAt <= end) return unquote(header.substring(valueAt, end));
    start = end + 1;
  }
  return undefined;
}

function unquote(value: string): string {
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
  return isQuoted ? value.substring(1, value.length - 1) : value;
}
