/**
 * The path as Envoy's `normalize_path` leaves it, so that `/a/../admin` and `/admin` are one path
 * to the routes: RFC 3986 5.2.4 and 6.2.2, with `\` read as `/`. The query is left alone.
 */
export function normalizePath(path: string, mergesSlashes: boolean): string {
  const query = path.indexOf("?");
  const bare = query === -1 ? path : path.substring(0, query);
  if (isNormal(bare, mergesSlashes)) return path;
  const normal = canonicalize(bare, mergesSlashes);
  return query === -1 ? normal : normal + path.substring(query);
}

/** Nearly every path is, and one pass over it says so. */
function isNormal(bare: string, mergesSlashes: boolean): boolean {
  let afterSlash = false;
  for (let at = 0; at < bare.length; at++) {
    const code = bare.charCodeAt(at);
    if (code === 47) {
      if (afterSlash && mergesSlashes) return false;
      afterSlash = true;
      continue;
    }
    // "." first in a segment, "%", "\" and what must be escaped
    if (code === 46 && afterSlash) return false;
    if (code === 37 || code === 92 || ESCAPED.has(code)) return false;
    afterSlash = false;
  }
  return true;
}

/** `"<>^`{|}` must not stand in a path as they are (WHATWG URL, path percent-encode set). */
const ESCAPED: ReadonlySet<number> = new Set([34, 60, 62, 94, 96, 123, 124, 125]);

function canonicalize(bare: string, mergesSlashes: boolean): string {
  const segments: string[] = [];
  const parts = bare.replaceAll("\\", "/").split("/");
  // The first is what stands before the leading slash.
  for (let at = 1; at < parts.length; at++) {
    const isLast = at === parts.length - 1;
    const part = unescape(parts[at] ?? "");
    if (part === ".") {
      if (isLast) segments.push("");
    } else if (part === "..") {
      segments.pop();
      if (isLast) segments.push("");
    } else {
      segments.push(escape(part));
    }
  }
  const path = `/${segments.join("/")}`;
  return mergesSlashes && path.includes("//") ? mergeSlashes(path) : path;
}

/** As Envoy joins the slashes of a path without query: nothing but slashes becomes two of them. */
export function mergeSlashes(path: string): string {
  const merged = path.split("/").filter((part) => part !== "");
  return `/${merged.join("/")}${path.endsWith("/") ? "/" : ""}`;
}

/** Decodes what need not be encoded: letters, digits, `-`, `.`, `_`, `~`. */
function unescape(part: string): string {
  if (!part.includes("%")) return part;
  return part.replace(/%([0-9a-fA-F]{2})/g, (whole, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : whole;
  });
}

function escape(part: string): string {
  return part.replace(/["<>^`{|}]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
