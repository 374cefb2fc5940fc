import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { findOutcome, statusesOf } from "./outcome.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { Twins } from "./twins.ts";

/** A request line and header lines, and the status that both answer. */
type Request = readonly [line: string, headers: string, status: number];

const ORIGIN = "Origin: http://a.example.com\r\n";
const PREFLIGHT = `${ORIGIN}Access-Control-Request-Method: GET\r\n`;
const WEBSOCKET =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/** Bootstraps as people write them, and what is asked of each. */
const FILES: Readonly<Record<string, readonly Request[]>> = {
  "front-proxy": [
    ["GET /healthz", "", 200],
    ["GET /service/1", "", 200],
    ["GET /service/1/x?y", "", 200],
    ["GET /service/2/a/b", "", 200],
    ["GET /service/2/500", "", 500],
    ["POST /service/1", "Content-Length: 0\r\n", 200],
    ["GET /nothing", "", 404],
  ],
  sidecar: [
    ["GET /reviews/0", "Host: reviews:9080\r\n", 200],
    ["GET /reviews/0", "Host: reviews:9080\r\nEnd-User: jason\r\n", 200],
    ["GET /reviews/0", "Host: reviews\r\nEnd-User: jason\r\nX-Drill: 1\r\n", 500],
    ["GET /a/../b/./c", "Host: reviews.default.svc.cluster.local\r\n", 200],
    ["POST /reviews/0", "Host: reviews:9080\r\nContent-Length: 0\r\n", 403],
    ["GET /500", "Host: reviews:9080\r\nX-B3-TraceId: 1\r\n", 500],
    ["GET /", "Host: elsewhere\r\n", 502],
  ],
  edge: [
    ["GET /", "", 200],
    ["GET //a//../b", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n", 200],
    ["GET /a%2Fb", "", 307],
    ["GET /x", "bad_header: 1\r\n", 400],
    ["GET /old/x?y", "", 308],
    ["GET /x", "Host: secure.test\r\n", 301],
    ["GET /close", "", 503],
  ],
  tcp: [
    ["GET /", "", 200],
    ["GET /chunked", "", 200],
  ],
  websocket: [
    ["GET /websocket", WEBSOCKET, 101],
    ["GET /other", WEBSOCKET.replace("websocket", "other"), 403],
    ["GET /other", "", 200],
  ],
  balancing: [
    ["GET /near", "", 200],
    ["GET /hash/header", "X-Hash: a\r\n", 200],
    ["GET /hash/header", "X-Hash: b\r\n", 200],
    ["GET /hash/header", "X-Hash: c\r\n", 200],
    ["GET /hash/cookie", "Cookie: session=1\r\n", 200],
    ["GET /behind", "", 200],
    ["GET /behind/500", "", 200],
    ["GET /", "", 200],
    ["GET /500", "", 500],
  ],
  protection: [
    ["GET /", "", 200],
    ["GET //a/../b", "", 200],
    ["GET /a%2fb", "", 307],
    ["GET /", "a_b: 1\r\n", 400],
    ["GET /limited", "", 200],
    ["GET /limited", "X-Tenant: small\r\n", 200],
    ["GET /limited", "X-Tenant: small\r\n", 429],
    ["GET /limited", "X-Tenant: large\r\n", 200],
    ["GET /500", "", 500],
    ["GET /close", "", 503],
  ],
  demos: [
    ["OPTIONS /cors/open", PREFLIGHT, 200],
    ["GET /cors/open", ORIGIN, 200],
    ["GET /cors/open", "Origin: http://b.test\r\n", 200],
    ["OPTIONS /cors/disabled", PREFLIGHT, 200],
    ["GET /cors/disabled", ORIGIN, 200],
    ["GET /", "X-Envoy-Fault-Abort-Request: 503\r\n", 503],
    ["GET /", "X-Envoy-Fault-Delay-Request: 20\r\n", 200],
  ],
};

describe.each(Object.keys(FILES))("the bootstrap %s", (name) => {
  let twins: Twins;
  let up: ScriptedUpstream;
  let other: ScriptedUpstream;

  beforeAll(async () => {
    const scripts = {
      "/500": { send: "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" },
      "/close": { end: "fin" },
      "/chunked": {
        send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
      },
      "/websocket": {
        send:
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" +
          "a frame",
        end: "fin",
      },
    } as const;
    up = await ScriptedUpstream.start(scripts);
    other = await ScriptedUpstream.start(scripts);
    const text = readFileSync(join(import.meta.dirname, "bootstraps", `${name}.yaml`), "utf8");
    twins = await Twins.start(["main"], ({ ports, adminPort }) => {
      const values = { up: up.port, other: other.port, admin: adminPort, ...ports };
      return text.replace(/\{\{(\w+)\}\}/g, (_, key: keyof typeof values) => String(values[key]));
    });
  });

  afterAll(async () => {
    await twins.stop();
    await up.stop();
    await other.stop();
  });

  test.each((FILES[name] ?? []).map(([line, headers, status]) => ({ line, headers, status })))(
    "$line -> $status, as in Envoy ($headers)",
    async ({ line, headers, status }) => {
      const host = headers.includes("Host: ") ? "" : "Host: a.test\r\n";
      const outcomes = [];
      for (const { ports } of twins.all) {
        other.requests.length = 0;
        const outcome = await findOutcome({
          port: ports["main"] ?? 0,
          upstream: up,
          parts: [`${line} HTTP/1.1\r\n${host}${headers}\r\n`],
          answers: 1,
        });
        expect(statusesOf(outcome)).toEqual([status]);
        outcomes.push({ outcome, other: other.requests.map((request) => request.line) });
      }
      expect(outcomes[0]).toEqual(outcomes.at(-1));
    },
  );
});

/** A line of the bootstrap `demos`, what is put before it, and a part of the refusal. */
const UNBUILT = [
  [
    "          - name: envoy.filters.http.cors\n",
    `          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
`,
    "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
  ],
  [
    "          - name: envoy.filters.http.cors\n",
    `          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              matcher: {}
`,
    "http_filters[1].matcher: is not supported yet",
  ],
  ["          stat_prefix: ingress_http\n", "          codec_type: HTTP3\n", "codec_type: HTTP3"],
  [
    "    lb_policy: ROUND_ROBIN\n",
    "    upstream_bind_config: {}\n    wait_for_warm_on_init: true\n    track_timeout_budgets: true\n",
    "track_timeout_budgets: is not supported yet",
  ],
] as const;

test.each(UNBUILT.map(([before, lines, reason]) => ({ before, lines, reason })))(
  "what is not built is refused by name: $reason",
  ({ before, lines, reason }) => {
    const text = readFileSync(join(import.meta.dirname, "bootstraps", "demos.yaml"), "utf8");
    const parsed = parseBootstrap(
      text.replace(before, lines + before).replace(/\{\{\w+\}\}/g, "1"),
    );
    expect(parsed.ok ? "" : parsed.issues.map(formatIssue).join("\n")).toContain(reason);
  },
);
