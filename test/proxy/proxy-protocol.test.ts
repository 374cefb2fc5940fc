import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const PROXY_PROTOCOL = "listener.proxy_protocol.v3.ProxyProtocol";

const OPTIONS = {
  strict: { stat_prefix: "strict" },
  lax: { allow_requests_without_proxy_protocol: true, stat_prefix: "lax" },
  v2: { disallowed_versions: ["V1"], stat_prefix: "v2" },
  v1: { disallowed_versions: ["V2"] },
  v1lax: {
    disallowed_versions: ["V2"],
    allow_requests_without_proxy_protocol: true,
    stat_prefix: "v1lax",
  },
} as const;

type Name = keyof typeof OPTIONS;
const NAMES = Object.keys(OPTIONS) as Name[];

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const IPV4 = "\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\0\u000a\0\u0014";
const IPV6 = `${"\u0020\u0001".padEnd(15, "\0")}\u0001${"\u0020\u0001".padEnd(15, "\0")}\u0002\0\u000a\0\u0014`;

/** A binary header; `length` is told where it is not that of the rest. */
function binary(command: number, family: number, rest: string, length = rest.length): string {
  const head = [command, family, length >> 8, length & 255];
  return SIGNATURE + String.fromCharCode(...head) + rest;
}

/** What stands before the request. */
const HEADERS: Readonly<Record<string, string>> = {
  "no header": "",
  "text, IPv4": "PROXY TCP4 1.2.3.4 5.6.7.8 10 20\r\n",
  "text, IPv6": "PROXY TCP6 2001:0DB8::0:1 2001:db8::2 10 20\r\n",
  "text, unknown": "PROXY UNKNOWN\r\n",
  "text, unknown with more": "PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n",
  "text, a port missing": "PROXY TCP4 1.2.3.4 5.6.7.8 10\r\n",
  "text, one word more": "PROXY TCP4 1.2.3.4 5.6.7.8 10 20 30\r\n",
  "text, two families": "PROXY TCP4 1.2.3.4 ::1 10 20\r\n",
  "text, another family": "PROXY TCP5 1.2.3.4 5.6.7.8 10 20\r\n",
  "text, a port too high": "PROXY TCP4 1.2.3.4 5.6.7.8 10 99999\r\n",
  "text, a port that is none": "PROXY TCP4 1.2.3.4 5.6.7.8 10 -1\r\n",
  "text, too long": `PROXY ${"x".repeat(120)}`,
  "text, lower case": "proxy TCP4 1.2.3.4 5.6.7.8 10 20\r\n",
  "binary, IPv4": binary(0x21, 0x11, IPV4),
  "binary, IPv6": binary(0x21, 0x21, IPV6),
  "binary, datagrams": binary(0x21, 0x12, IPV4),
  "binary, of the proxy itself": binary(0x20, 0, ""),
  "binary, of the proxy itself with addresses": binary(0x20, 0x11, IPV4),
  "binary, no family": binary(0x21, 0, ""),
  "binary, a Unix socket": binary(0x21, 0x31, "\0".repeat(216)),
  "binary, too short": binary(0x21, 0x11, IPV4.slice(0, 4)),
  "binary, version 3": binary(0x31, 0x11, IPV4),
  "binary, command 2": binary(0x22, 0x11, IPV4),
  "binary, an extension": binary(0x21, 0x11, `${IPV4}\u0002\0\u0004abcd`),
  "binary, an extension cut off": binary(0x21, 0x11, `${IPV4}\u0002\0\u0004a`),
  "binary, as long as can be": binary(0x21, 0x11, `${IPV4}\u0004\xff\xf0${"a".repeat(0xfff0)}`),
};

const both = new BothPlanes<Name>();
let upstream: ScriptedUpstream;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start({});
  await both.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: NAMES.map((name) => {
        const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
        const table = routeTable(routes);
        const options = {
          route_config: table,
          use_remote_address: true,
          delayed_close_timeout: "0.02s",
        };
        return {
          ...httpListener(name, ports[name], options),
          listener_filters: [filter(PROXY_PROTOCOL, OPTIONS[name])],
        };
      }),
      clusters: [staticCluster("up", [upstream.port])],
    },
  }));
});

afterAll(async () => {
  await both.stop();
  await upstream.stop();
});

describe("the PROXY protocol filter does as Envoy's does", () => {
  const cases = NAMES.flatMap((listener) =>
    Object.entries(HEADERS).map(([what, header]) => ({ listener, what, header })),
  );

  test.each(cases)("$listener: $what", async ({ listener, header }) => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      upstream.requests.length = 0;
      const before = await stats("proxy_proto");
      const { got, end } = await converse({
        to: { port: ports[listener] },
        send: `${header}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      });
      const after = await stats("proxy_proto");
      const counted = Object.keys(after).filter((name) => after[name] !== before[name]);
      const seen = upstream.requests.map(({ headers }) =>
        headers.filter((line) => /^x-(?:forwarded-for|envoy-external)/.test(line)).sort(),
      );
      return { status: got.split("\r\n")[0], end, counted, seen };
    });
    expect(weft).toEqual(envoy);
  });

  test("a header that comes byte by byte", async () => {
    for (const header of [HEADERS["text, IPv4"] ?? "", HEADERS["binary, IPv4"] ?? ""]) {
      upstream.requests.length = 0;
      const { weft } = await both.each(({ ports }) =>
        converse({
          to: { port: ports.strict, noDelay: true },
          send: [...header.split(""), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
        }),
      );
      expect(weft.got).toContain("200 OK");
      expect(upstream.requests[0]?.headers).toContain("x-forwarded-for: 1.2.3.4");
    }
  });
});
