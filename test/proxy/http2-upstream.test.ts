import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { http2Options } from "./http2-cluster.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import type { WireMessage } from "./wire-message.ts";

/** What the upstream does, by the first part of the path; the second is its argument. */
const ANSWERS: Readonly<Record<string, (stream: ServerHttp2Stream, argument: string) => void>> = {
  plain: (stream) => {
    stream.respond({ ":status": 200, "content-length": "2" });
    stream.end("hi");
  },
  echo: (stream) => {
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  },
  status: (stream, status) => stream.respond({ ":status": Number(status) }, { endStream: true }),
  trailers: (stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "yes" }));
    stream.end("body");
  },
  interim: (stream) => {
    stream.additionalHeaders({ ":status": 103, link: "</a>" });
    stream.respond({ ":status": 200 });
    stream.end("done");
  },
  reset: (stream, code) => stream.close(Number(code)),
  late: (stream, code) => {
    stream.respond({ ":status": 200 });
    stream.write("hello", () => setTimeout(() => stream.close(Number(code)), 50));
  },
  // Answers before it has seen all of the request.
  early: (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("no more");
  },
  goaway: (stream) => {
    stream.respond({ ":status": 200 });
    stream.session?.goaway(0, stream.id);
    stream.end("bye");
  },
  gone: (stream) => stream.session?.destroy(),
};

let seen: unknown[] = [];

function startUpstream(): Http2Server {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  server.on("session", (session) => session.on("error", () => undefined));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    const { "x-request-id": _id, "x-envoy-expected-rq-timeout-ms": _left, ...rest } = headers;
    seen.push(rest);
    const [, name = "", argument = ""] = (headers[":path"] ?? "").split("/");
    const answer = ANSWERS[name];
    if (answer === undefined) throw new Error(`no answer for ${name}`);
    answer(stream, argument);
  });
  return server.listen(0, "127.0.0.1");
}

const folder = mkdtempSync(join(tmpdir(), "weft-http2-upstream-"));
const planes = new BothPlanes<"main">();
const server = startUpstream();

beforeAll(async () => {
  if (!server.listening) await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await planes.start(["main"], (ports) => bootstrap(ports, port));
});

function bootstrap(ports: Readonly<Record<"main" | "admin", number>>, upstream: number): object {
  const retry = { retry_on: "refused-stream", num_retries: 2 };
  const log = {
    path: logOf(ports.main),
    log_format: {
      text_format_source: {
        inline_string:
          "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_PROTOCOL% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n",
      },
    },
  };
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("main", ports.main, {
          route_config: routeTable([
            {
              match: { prefix: "/reset/7/again" },
              route: { cluster: "up", retry_policy: retry },
            },
            { match: { prefix: "/" }, route: { cluster: "up", timeout: "5s" } },
          ]),
          http_protocol_options: { enable_trailers: true },
          access_log: [{ name: "file", typed_config: { "@type": type, ...log } }],
        }),
      ],
      clusters: [staticCluster("up", [upstream], http2Options())],
    },
  };
}

function logOf(port: number): string {
  return join(folder, `${port}.log`);
}

afterAll(async () => {
  await planes.stop();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a client and the upstream saw, and what the log says. */
async function run(
  port: number,
  parts: readonly string[],
  methods: readonly string[] = [],
): Promise<unknown> {
  seen = [];
  writeFileSync(logOf(port), "");
  const { messages, rest } = await exchangeRaw({ port, parts, answers: 1, methods });
  const lines = (): string => readFileSync(logOf(port), "utf8");
  await until(() => lines().endsWith("\n"), "the access log");
  return { messages: messages.map(lasting), rest, seen, log: lines() };
}

/** Without what no two runs share; what is long is known by its hash. */
function lasting(message: WireMessage): unknown {
  const headers = message.headers.filter(
    (header) => !/^(date|x-envoy-upstream-service-time|server|connection):/.test(header),
  );
  const { body } = message;
  const told = body.length < 200 ? body : createHash("sha256").update(body).digest("hex");
  return { ...message, headers, body: told };
}

function get(path: string, headers = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${headers}\r\n`;
}

function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const CHUNKED = "Transfer-Encoding: chunked\r\n";

interface Case {
  readonly name: string;
  readonly parts: readonly string[];
  readonly methods?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "a response with a length", parts: [get("/plain")] },
  { name: "a response without a body", parts: [get("/status/204")] },
  { name: "an error without a body", parts: [get("/status/500")] },
  { name: "trailers of a response", parts: [get("/trailers", "TE: trailers\r\n")] },
  { name: "something before the response", parts: [get("/interim")] },
  { name: "a HEAD", parts: [get("/plain").replace("GET", "HEAD")], methods: ["HEAD"] },
  { name: "headers of HTTP/1.1 alone", parts: [get("/plain", "Keep-Alive: 5\r\nTE: gzip\r\n")] },
  { name: "several cookies", parts: [get("/plain", "Cookie: a=1\r\nCookie: b=2\r\n")] },
  { name: "a body with a length", parts: [post("/echo", "hello")] },
  { name: "a body of length 0", parts: [post("/echo", "")] },
  { name: "a large body", parts: [post("/echo", "0123456789".repeat(30_000))] },
  { name: "a body larger than any window", parts: [post("/echo", "0123456789".repeat(400_000))] },
  {
    name: "a body in chunks, with trailers",
    parts: [
      `POST /echo HTTP/1.1\r\nHost: a.test\r\n${CHUNKED}\r\n`,
      "3\r\nabc\r\n",
      "0\r\nx-t: 1\r\n\r\n",
    ],
  },
  ...[0, 1, 2, 7, 8, 10, 11, 13].flatMap((code) => [
    { name: `a reset with ${code}`, parts: [get(`/reset/${code}`)] },
    { name: `a reset with ${code} in the body`, parts: [get(`/late/${code}`)] },
  ]),
  { name: "a refused stream that is tried again", parts: [get("/reset/7/again")] },
  { name: "a connection that is gone", parts: [get("/gone")] },
  { name: "a connection that says goodbye", parts: [get("/goaway")] },
  { name: "a request after that", parts: [get("/plain")] },
];

describe("HTTP/1.1 in, HTTP/2 out: does as Envoy does with", () => {
  test.each(CASES)("$name", async ({ parts, methods }) => {
    const { weft, envoy } = await planes.each(({ ports }) => run(ports.main, parts, methods));
    expect(weft).toEqual(envoy);
  });
});
