import type { DifferentialCase } from "../differential-case.ts";
import { get } from "./request-text.ts";

/** Edge: strangers are not believed, paths are put right. */
export const EDGE_CASES: readonly DifferentialCase[] = [
  { name: "a stranger", listener: "edge", send: get("/x"), status: [200] },
  {
    name: "a stranger who claims things",
    listener: "edge",
    send: get(
      "/x",
      "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Request-Id: abc\r\n" +
        "X-Envoy-Decorator-Operation: zz\r\nX-Envoy-Downstream-Service-Cluster: c\r\n" +
        "X-Envoy-Downstream-Service-Node: n\r\nX-Envoy-External-Address: 1.1.1.1\r\n",
    ),
    status: [200],
  },
  ...[
    "/a/../direct",
    "/a/./b//c",
    "/%2e%2e/direct",
    "/a%2Fb/%41%7e",
    "/a\\b",
    '/x<>"{}|^`',
    "/..",
    "/a/..",
    "/a/.",
    "//",
    "/%zz",
    "/a/../../b?x=/../y",
  ].map((path) => ({
    name: `the path ${path} at the edge`,
    listener: "edge" as const,
    send: get(path),
    status: [path.includes("direct") ? 418 : 200],
  })),
  ...["/a//b/../c", "/%2F", "/a/%2e/b", "/A%20b"].map((path) => ({
    name: `the path ${path}, slashes kept`,
    listener: "http10" as const,
    send: get(path),
    status: [200],
  })),
  {
    name: "a websocket",
    listener: "edge",
    send: get(
      "/websocket",
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n",
    ),
    status: [101],
  },
  {
    name: "a websocket that the upstream refuses",
    listener: "edge",
    send: get("/zero-body", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    status: [200],
  },
];
