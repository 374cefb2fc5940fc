import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { FilterChainMatchSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { formatIssue, type Issue } from "../base/issue.ts";
import type { ConnectionInfo } from "./connection-info.ts";
import {
  compileFilterChainSearch,
  type FilterChainCriteria,
  type FilterChainSearch,
} from "./filter-chain.ts";
import { decodeFilterChainMatch } from "./filter-chain-match.ts";
import { plainRequest } from "./plain-request.ts";

/** What a connection is like, in short. */
interface Given {
  readonly from?: string;
  readonly direct?: string;
  readonly to?: string;
  readonly sni?: string;
  readonly isTls?: boolean;
  readonly alpn?: readonly string[];
}

function peer(text: string): { address: string; port: number } {
  const [, address = "", port = "0"] = /^(.*)@(\d+)$/.exec(text) ?? [];
  return { address, port: Number(port) };
}

function connection(given: Given): ConnectionInfo {
  const remote = peer(given.from ?? "192.0.2.1@40000");
  return plainRequest({
    connection: {
      remote,
      directRemote: given.direct === undefined ? remote : peer(given.direct),
      local: peer(given.to ?? "198.51.100.1@80"),
      serverName: given.sni ?? "",
      transportProtocol: given.isTls === true ? "tls" : "raw_buffer",
      applicationProtocols: given.alpn ?? [],
    },
  }).connection;
}

function compile(matches: Readonly<Record<string, JsonValue>>): {
  search: FilterChainSearch<FilterChainCriteria>;
  overlaps: readonly string[];
  issues: readonly string[];
} {
  const issues: Issue[] = [];
  const overlaps: string[] = [];
  const chains = Object.entries(matches).map(([name, json]) => ({
    name,
    match: decodeFilterChainMatch(fromJson(FilterChainMatchSchema, json), "m", issues),
  }));
  const search = compileFilterChainSearch(chains, ({ name }) => overlaps.push(name));
  return { search, overlaps, issues: issues.map(formatIssue) };
}

const range = (address_prefix: string, prefix_len: number): JsonValue => ({
  address_prefix,
  prefix_len,
});

describe("compileFilterChainSearch()", () => {
  const cases: [string, Readonly<Record<string, JsonValue>>, [Given, string | undefined][]][] = [
    [
      "a port, without coming back to those that ask none",
      { any: {}, port: { destination_port: 80, server_names: ["a.test"] } },
      [
        [{ sni: "a.test" }, "port"],
        [{ sni: "b.test" }, undefined],
        [{ to: "198.51.100.1@81" }, "any"],
      ],
    ],
    [
      "the smallest block of the destination",
      {
        any: {},
        eight: { prefix_ranges: [range("10.0.0.0", 8)] },
        sixteen: { prefix_ranges: [range("10.1.0.0", 16), range("10.2.0.0", 16)] },
        six: { prefix_ranges: [range("2001:db8::", 32)] },
      },
      [
        [{ to: "10.1.2.3@80" }, "sixteen"],
        [{ to: "10.2.2.3@80" }, "sixteen"],
        [{ to: "10.3.2.3@80" }, "eight"],
        [{ to: "11.3.2.3@80" }, "any"],
        [{ to: "2001:db8::1@80" }, "six"],
      ],
    ],
    [
      "the longest name that fits",
      {
        any: {},
        exact: { server_names: ["A.foo.test"] },
        long: { server_names: ["*.foo.test"] },
        short: { server_names: ["*.test"] },
      },
      [
        [{ sni: "a.foo.test" }, "exact"],
        [{ sni: "b.foo.test" }, "long"],
        [{ sni: "c.b.foo.test" }, "long"],
        [{ sni: "foo.test" }, "short"],
        [{ sni: ".test" }, "any"],
        [{ sni: "" }, "any"],
      ],
    ],
    [
      "the transport protocol before the application protocols",
      {
        any: {},
        tls: { transport_protocol: "tls" },
        h2: { transport_protocol: "tls", application_protocols: ["h2"] },
        http: { application_protocols: ["http/1.1", "http/1.0"] },
      },
      [
        [{ isTls: true, alpn: ["http/1.1", "h2"] }, "h2"],
        [{ isTls: true, alpn: ["http/1.1"] }, "tls"],
        [{ alpn: ["http/1.0"] }, "http"],
        [{ alpn: ["h2"] }, "any"],
      ],
    ],
    [
      "the first protocol of the client's list",
      { one: { application_protocols: ["a"] }, two: { application_protocols: ["b"] } },
      [
        [{ alpn: ["x", "b", "a"] }, "two"],
        [{ alpn: ["x"] }, undefined],
      ],
    ],
    [
      "who is directly connected before who is behind it",
      {
        any: {},
        direct: { direct_source_prefix_ranges: [range("10.0.0.1", 32)] },
        behind: { source_prefix_ranges: [range("10.0.0.2", 32)] },
      },
      [
        [{ from: "10.0.0.2@1", direct: "10.0.0.1@1" }, "direct"],
        [{ from: "10.0.0.2@1", direct: "10.0.0.3@1" }, "behind"],
        [{ from: "10.0.0.3@1" }, "any"],
      ],
    ],
    [
      "whether the source is local",
      {
        any: { destination_port: 81 },
        local: { source_type: "SAME_IP_OR_LOOPBACK" },
        external: { source_type: "EXTERNAL" },
      },
      [
        [{ from: "127.0.0.1@1" }, "local"],
        [{ from: "127.0.0.2@1" }, "external"],
        [{ from: "::1@1" }, "local"],
        [{ from: "198.51.100.1@1" }, "local"],
        [{ from: "192.0.2.1@1" }, "external"],
        [{ to: "198.51.100.1@81" }, "any"],
      ],
    ],
    [
      "the source's block, then its port",
      {
        block: { source_prefix_ranges: [range("10.0.0.0", 8)] },
        port: { source_prefix_ranges: [range("10.0.0.0", 8)], source_ports: [7, 8] },
        elsewhere: { source_ports: [7] },
      },
      [
        [{ from: "10.1.1.1@7" }, "port"],
        [{ from: "10.1.1.1@9" }, "block"],
        [{ from: "11.1.1.1@7" }, "elsewhere"],
        [{ from: "11.1.1.1@8" }, undefined],
      ],
    ],
    ["nothing without chains", {}, [[{}, undefined]]],
  ];
  test.each(cases)("takes %s", (_what, matches, asked) => {
    const { search, overlaps, issues } = compile(matches);
    expect([overlaps, issues]).toEqual([[], []]);
    for (const [given, name] of asked) {
      expect([given, search(connection(given))?.name]).toEqual([given, name]);
    }
  });

  const overlapping: [string, Readonly<Record<string, JsonValue>>][] = [
    ["two that ask nothing", { one: {}, two: {} }],
    ["an empty name, which is none", { one: {}, two: { server_names: [""] } }],
    ["a name in common", { one: { server_names: ["a"] }, two: { server_names: ["b", "A"] } }],
    [
      "one block written in two ways",
      {
        one: { prefix_ranges: [range("10.0.0.0", 8)] },
        two: { prefix_ranges: [range("10.9.9.9", 8)] },
      },
    ],
    ["a chain that asks for one thing twice", { two: { source_ports: [1, 1] } }],
  ];
  test.each(overlapping)("finds that chains overlap: %s", (_what, matches) => {
    expect(compile(matches).overlaps).toEqual(["two"]);
  });

  test("says why chains were passed over", () => {
    const { search } = compile({
      any: {},
      port: { destination_port: 81 },
      name: { server_names: ["a.test"] },
      block: { source_prefix_ranges: [range("10.0.0.0", 8)] },
      tls: { transport_protocol: "tls" },
    });
    const lost: string[] = [];
    const recorder = { lost: (what: string, why: string) => lost.push(`${what}: ${why}`) };
    expect(search(connection({ from: "10.0.0.1@1", isTls: true }), recorder)?.name).toBe("tls");
    expect(lost).toEqual([
      "filter chain any: another chain asks for something more specific",
      "filter chain port: destination port",
      "filter chain name: server name",
      "filter chain block: another chain asks for something more specific",
    ]);
  });
});

test("decodeFilterChainMatch() refuses what Envoy refuses", () => {
  const cases: [JsonValue, string][] = [
    [
      { server_names: ["a*.test"] },
      'm.server_names: partial wildcards are not supported in "server_names"',
    ],
    [
      { server_names: ["*"] },
      'm.server_names: partial wildcards are not supported in "server_names"',
    ],
    [
      { source_prefix_ranges: [range("a.test", 8)] },
      "m.source_prefix_ranges[0]: malformed IP address: a.test",
    ],
    [{ address_suffix: "1" }, "m.address_suffix: is not supported yet"],
  ];
  for (const [json, issue] of cases) expect(compile({ one: json }).issues).toEqual([issue]);
});
