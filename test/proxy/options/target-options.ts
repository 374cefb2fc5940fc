import { get } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";

const ESCAPED_PATHS = ["/a%2Fb", "/a%5cb?c=%2F", "/a%2f..%2fb", "/plain", "/a%252Fb", "/%2f%2Fx"];
const ACTIONS = [
  "REJECT_REQUEST",
  "UNESCAPE_AND_REDIRECT",
  "UNESCAPE_AND_FORWARD",
  "KEEP_UNCHANGED",
];

function statusOf(action: string, path: string): number {
  const isEscaped = /%(2f|5c)/i.test(path.split("?", 1)[0] ?? "");
  if (!isEscaped) return 200;
  return action === "REJECT_REQUEST" ? 400 : action === "UNESCAPE_AND_REDIRECT" ? 307 : 200;
}

const SLASHES: readonly OptionCase[] = ACTIONS.flatMap((action) =>
  [false, true].flatMap((normalizes) =>
    ESCAPED_PATHS.map((path) => ({
      name: `${action} of ${path}${normalizes ? ", normalized" : ""}`,
      options: {
        path_with_escaped_slashes_action: action,
        ...(normalizes ? { normalize_path: true, merge_slashes: true } : {}),
      },
      send: get(path),
      status: [statusOf(action, path)],
    })),
  ),
);

const MERGED: readonly OptionCase[] = ["//a//b//?c=//d", "/a/./b", "//", "/a/..//b", "/x"].map(
  (path) => ({
    name: `merge_slashes of ${path} alone`,
    options: { merge_slashes: true },
    send: get(path),
    status: [200],
  }),
);

const HOSTS = [
  "a.test.",
  "a.test.:80",
  "a.test:80",
  "[::1]:80",
  "[::1]",
  "a.test:x",
  "a.test:",
  ".",
];
const HOST_OPTIONS = ["strip_trailing_host_dot", "strip_any_host_port"];

const STRIPPED: readonly OptionCase[] = HOST_OPTIONS.flatMap((option) =>
  HOSTS.map((host) => ({
    name: `${option} of ${host}`,
    options: { [option]: true },
    send: `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    status: [200],
  })),
);

/** What connection managers do with paths and hosts. */
export const TARGET_OPTIONS: readonly OptionCase[] = [
  ...SLASHES,
  ...MERGED,
  ...STRIPPED,
  {
    name: "strip_matching_host_port of another port",
    options: { strip_matching_host_port: true },
    send: "GET /x HTTP/1.1\r\nHost: a.test:81\r\n\r\n",
    status: [200],
  },
  {
    name: "both, of an absolute target",
    options: { strip_any_host_port: true, strip_trailing_host_dot: true },
    send: "GET http://a.test.:81/x HTTP/1.1\r\nHost: b.test\r\n\r\n",
    status: [200],
  },
];
