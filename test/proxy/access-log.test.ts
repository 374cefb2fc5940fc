import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { LOG_OPERATORS, MASKED } from "./log-operators.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const envoyProgram = findProgram("envoy");

const TYPE = "type.googleapis.com/envoy.extensions";

/** Formats besides the list of operators, one log each. */
const JSON_FORMAT = {
  z: "%REQ(none)%",
  é: "x%REQ(none)%%REQ(:path)%",
  n: "%RESPONSE_CODE%",
  l: ["%REQ(none)%", "%PROTOCOL%", 5, true, null, []],
  o: { q: "%REQ(none)%" },
  // A whole number: of others Envoy makes text when it reads them from YAML.
  num: 7,
  t: "",
  s: 'pl"ain',
  agent: "%REQ(user-agent)%",
};

const LOGS: Readonly<Record<string, object>> = {
  text: {
    text_format_source: {
      inline_string: LOG_OPERATORS.map((operator) => `${operator}\n`).join(""),
    },
  },
  json: { json_format: Object.fromEntries(LOG_OPERATORS.map((one) => [one, one])) },
  mixed: { json_format: JSON_FORMAT },
  omitting: { json_format: JSON_FORMAT, omit_empty_values: true },
  omittingText: {
    text_format_source: { inline_string: "[%REQ(none)%|%PROTOCOL%]\n" },
    omit_empty_values: true,
  },
  withoutQuery: {
    text_format_source: { inline_string: "%REQ_WITHOUT_QUERY(none?:PATH):6%\n" },
    formatters: [
      {
        name: "q",
        typed_config: { "@type": `${TYPE}.formatter.req_without_query.v3.ReqWithoutQuery` },
      },
    ],
  },
};

const atLeast = (default_value: number): object => ({
  comparison: { op: "GE", value: { default_value, runtime_key: "log.none" } },
});

/** Which requests a filter lets through, by their paths. */
const FILTERS: Readonly<Record<string, object>> = {
  status: { status_code_filter: atLeast(500) },
  duration: { duration_filter: atLeast(0) },
  slow: { duration_filter: atLeast(60_000) },
  other: {
    status_code_filter: {
      comparison: { op: "NE", value: { default_value: 200, runtime_key: "x" } },
    },
  },
  grpc: { grpc_status_filter: { statuses: ["UNKNOWN", "UNAVAILABLE"] } },
  notGrpc: { grpc_status_filter: { statuses: ["UNKNOWN"], exclude: true } },
  traceable: { traceable_filter: {} },
  chance: {
    runtime_filter: {
      runtime_key: "log.none",
      percent_sampled: { numerator: 100 },
      use_independent_randomness: true,
    },
  },
  cel: {
    extension_filter: {
      name: "cel",
      typed_config: {
        "@type": `${TYPE}.access_loggers.filters.cel.v3.ExpressionFilter`,
        expression: "response.code >= 400 || request.headers['x-h'] == 'v1'",
      },
    },
  },
  celError: {
    extension_filter: {
      name: "cel",
      typed_config: {
        "@type": `${TYPE}.access_loggers.filters.cel.v3.ExpressionFilter`,
        expression: "request.headers['x-h'] == 'v1'",
      },
    },
  },
  celJoin: {
    extension_filter: {
      name: "cel",
      typed_config: {
        "@type": `${TYPE}.access_loggers.filters.cel.v3.ExpressionFilter`,
        expression: "(request.method + string(response.code)).lowerAscii() == 'get200'",
        cel_config: {
          enable_string_conversion: true,
          enable_string_concat: true,
          enable_string_functions: true,
        },
      },
    },
  },
  notHealthCheck: { not_health_check_filter: {} },
  never: { runtime_filter: { runtime_key: "log.none", percent_sampled: { numerator: 0 } } },
  always: { runtime_filter: { runtime_key: "log.none", percent_sampled: { numerator: 100 } } },
  header: { header_filter: { header: { name: "x-h", present_match: true } } },
  flag: { response_flag_filter: { flags: ["UF", "DPE"] } },
  anyFlag: { response_flag_filter: {} },
  type: { log_type_filter: { types: ["DownstreamEnd"], exclude: true } },
  metadata: {
    metadata_filter: {
      matcher: { filter: "a", path: [{ key: "b" }], value: { present_match: true } },
      match_if_key_not_found: false,
    },
  },
  and: {
    and_filter: {
      filters: [
        { status_code_filter: atLeast(400) },
        { header_filter: { header: { name: "x-h", present_match: true } } },
      ],
    },
  },
  or: {
    or_filter: {
      filters: [
        {
          status_code_filter: {
            comparison: { op: "EQ", value: { default_value: 404, runtime_key: "x" } },
          },
        },
        { response_flag_filter: { flags: ["UF"] } },
      ],
    },
  },
};

const CLIENT_CERT =
  'Hash=ab12;Cert="-----x\\"y";URI=spiffe://a/b;URI=spiffe://c,By=x;URI=spiffe://d';

const REQUESTS: readonly string[] = [
  'GET /a/b?x=1&y=%41b HTTP/1.1\r\nHost: a.test:80\r\nUser-Agent: c"url/é\r\nX-H: v1\r\n',
  "GET /plain HTTP/1.1\r\nHost: a.test\r\n",
  "POST /bad?x HTTP/1.1\r\nHost: a.test\r\nX-H: 2\r\nContent-Length: 0\r\n",
  "GET /none HTTP/1.1\r\nHost: a.test\r\n",
  "GET /unknown HTTP/1.1\r\nHost: a.test\r\n",
  "GET /broken HTTP/1.1\r\n",
  "GET /old HTTP/1.0\r\nHost: a.test\r\n",
  `GET /a/chunks HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Client-Cert: ${CLIENT_CERT}\r\n`,
  "GET /retry/503 HTTP/1.1\r\nHost:   a.test  \r\nX-Empty:\r\n",
  "POST /a/post HTTP/1.1\r\nHost: a.test\r\nContent-Length: 7\r\nConnection: close\r\n\r\nabcdefg",
  "POST /a/post HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
    "3\r\nabc\r\nb;x=y\r\n01234567890\r\n0\r\nt: v\r\n\r\n",
];

interface Logged {
  readonly plane: DataPlane;
  readonly folder: string;
  readonly ports: readonly number[];
}

let upstream: Server;
let refusedPort = 0;
const planes: Logged[] = [];

function fileLog(path: string, more: object, filter?: object): object {
  const config = { "@type": `${TYPE}.access_loggers.file.v3.FileAccessLog`, path, ...more };
  return { name: "file", ...(filter ? { filter } : {}), typed_config: config };
}

function cluster(name: string, port: number): object {
  const endpoint = {
    hostname: `${name}.test`,
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
  };
  const metadata = { filter_metadata: { ns: { h: "host", o: { b: true, a: [1] } } } };
  return {
    name,
    metadata,
    ...(name === "up" ? { alt_stat_name: "other:name" } : {}),
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint, metadata }] }],
    },
  };
}

function bootstrap(folder: string, [admin, http, tcp]: readonly number[]): object {
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const address = (port_value: number | undefined): object => ({
    socket_address: { address: "127.0.0.1", port_value },
  });
  const logs = Object.entries(LOGS).map(([name, log_format]) =>
    fileLog(join(folder, name), { log_format }),
  );
  const short = { log_format: { text_format_source: { inline_string: "%PATH%\n" } } };
  const filtered = Object.entries(FILTERS).map(([name, filter]) =>
    fileLog(join(folder, `filter-${name}`), short, filter),
  );
  const routes = [
    { name: "bad", match: { prefix: "/bad" }, route: { cluster: "bad" } },
    { match: { prefix: "/none" }, direct_response: { status: 418, body: { inline_string: "t" } } },
    {
      name: "rt",
      match: { prefix: "/a" },
      route: { cluster: "up", prefix_rewrite: "/new" },
      metadata: { filter_metadata: { ns: { a: 1 } } },
    },
    {
      match: { prefix: "/retry" },
      route: { cluster: "up", retry_policy: { retry_on: "5xx", num_retries: 1 } },
    },
    { match: { prefix: "/plain" }, route: { cluster: "up" } },
    { match: { prefix: "/old" }, route: { cluster: "up" } },
  ];
  const manager = {
    "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "p",
    http_protocol_options: { accept_http_10: true },
    access_log: [...logs, ...filtered],
    forward_client_cert_details: "ALWAYS_FORWARD_ONLY",
    route_config: {
      name: "rc",
      virtual_hosts: [
        { name: "vh", domains: ["*"], routes, metadata: { filter_metadata: { ns: { v: [2] } } } },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        // How many digits a time has would make heads of different sizes.
        typed_config: {
          "@type": `${TYPE}.filters.http.router.v3.Router`,
          suppress_envoy_headers: true,
        },
      },
    ],
  };
  const tcpProxy = {
    "@type": `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "t",
    cluster: "up",
    access_log: [
      fileLog(join(folder, "tcp"), { log_format: LOGS["text"] }),
      fileLog(join(folder, "tcp-json"), { log_format: LOGS["json"] }),
    ],
  };
  return {
    admin: { address: address(admin) },
    static_resources: {
      listeners: [
        {
          name: "http",
          address: address(http),
          filter_chains: [{ name: "chain1", filters: [{ name: "hcm", typed_config: manager }] }],
        },
        {
          name: "tcp",
          address: address(tcp),
          filter_chains: [{ filters: [{ name: "tcp", typed_config: tcpProxy }] }],
        },
      ],
      clusters: [cluster("up", upstreamPort), cluster("bad", refusedPort)],
    },
  };
}

beforeAll(async () => {
  upstream = createServer((request, response) => {
    response.setHeader("x-up", "yes");
    request.resume();
    request.on("end", () => {
      if (request.url === "/retry/503") response.statusCode = 503;
      if (request.url === "/new/chunks") {
        response.setHeader("trailer", "x-t");
        response.write("hello");
        response.addTrailers({ "x-t": "1" });
      }
      response.end(response.headersSent ? undefined : "hello");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  [refusedPort = 0] = await freePorts(1);
  for (const program of [undefined, envoyProgram]) {
    if (planes.length > 0 && program === undefined) continue;
    const ports = await freePorts(3);
    const folder = mkdtempSync(join(tmpdir(), "weft-log-"));
    const config = bootstrap(folder, ports);
    const plane =
      program === undefined
        ? await startWeft(config)
        : await startEnvoy(program, config, ports[0] ?? 0);
    planes.push({ plane, folder, ports });
    for (const text of REQUESTS) {
      await send(ports[1], text.includes("\r\n\r\n") ? text : `${text}Connection: close\r\n\r\n`);
    }
    await send(ports[2], "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const isWritten = (): boolean =>
      read(folder, "omittingText").length === REQUESTS.length && read(folder, "tcp").length > 0;
    await until(isWritten, "the logs to be written");
  }
});

afterAll(async () => {
  for (const { plane, folder } of planes) {
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

function send(port: number | undefined, text: string): Promise<unknown> {
  const parts = [Buffer.from(text).toString("latin1")];
  return exchangeRaw({ port: port ?? 0, parts, answers: 2 });
}

function read(folder: string, name: string): readonly string[] {
  return readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
}

/**
 * What is told apart, by the place of its request. Envoy has a virtual host and the header `connection`
 * for a request without a host too, counts the heads of retried responses once more with each attempt
 * where they might have been compressed, and forgets the last chunk before trailers that it drops.
 */
const OTHERWISE: Readonly<Record<number, RegExp>> = {
  5: /VIRTUAL_HOST|REQUEST_HEADERS_BYTES|DS_RX_HDR_END/,
  8: /UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED/,
  10: /UPSTREAM_WIRE_BYTES_SENT/,
};

function mask(operator: string, value: unknown, at: number): unknown {
  if (OTHERWISE[at]?.test(operator) === true) return "otherwise";
  if (typeof value === "number" && MASKED.test(operator)) return "a number";
  if (typeof value !== "string") return value;
  if (MASKED.test(operator)) return value.replace(/[0-9a-f]+/g, "#").replace(/[A-Z][a-z#]+/g, "@");
  return value.replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:port");
}

test("a log that cannot be opened is refused in Envoy's words", () => {
  const config = bootstrap("/nowhere/at/all", [1, 2, 3]);
  const parsed = parseBootstrap(JSON.stringify(config));
  expect(parsed.ok ? "" : parsed.issues[0]?.message).toBe(
    "unable to open file '/nowhere/at/all/text': No such file or directory",
  );
});

describe.runIf(envoyProgram)("access logs like the real Envoy's", () => {
  const [weft, envoy] = [0, 1].map((at) => (): Logged => planes[at] as Logged) as [
    () => Logged,
    () => Logged,
  ];

  function operators(folder: string, name: string): readonly unknown[] {
    return read(folder, name).map((line, at) => {
      const operator = LOG_OPERATORS[at % LOG_OPERATORS.length] ?? "";
      const request = Math.floor(at / LOG_OPERATORS.length);
      return { operator, at: request, value: mask(operator, line, request) };
    });
  }

  test.each(["text", "tcp"])("every operator as text: %s", (name) => {
    expect(operators(weft().folder, name)).toEqual(operators(envoy().folder, name));
  });

  test.each(["json", "tcp-json"])("every operator as JSON: %s", (name) => {
    const [ours, theirs] = [weft(), envoy()].map(({ folder }) =>
      read(folder, name).map((line, at) =>
        Object.entries(JSON.parse(line) as Record<string, unknown>).map(([operator, value]) => ({
          operator,
          value: mask(operator, value, at),
        })),
      ),
    );
    expect(ours).toEqual(theirs);
  });

  test.each(["mixed", "omitting", "omittingText", "withoutQuery"])("the format %s", (name) => {
    expect(read(weft().folder, name)).toEqual(read(envoy().folder, name));
  });

  test.each(Object.keys(FILTERS))("the filter %s", (name) => {
    const file = `filter-${name}`;
    expect(read(weft().folder, file)).toEqual(read(envoy().folder, file));
  });
});

// The last one: it asks for more than the others count on.
test("a log goes on in a new file when it is told that the old one was moved", async () => {
  const [{ folder, ports } = { folder: "", ports: [] }] = planes;
  const file = join(folder, "omittingText");
  renameSync(file, `${file}.1`);
  const reopened = await fetch(`http://127.0.0.1:${ports[0]}/reopen_logs`, { method: "POST" });
  expect(await reopened.text()).toBe("OK\n");
  await send(ports[1], "GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await until(() => existsSync(file) && read(folder, "omittingText").length === 1, "a new file");
  expect(read(folder, "omittingText.1")).toHaveLength(REQUESTS.length);
  renameSync(`${file}.1`, file);
});
