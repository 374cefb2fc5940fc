import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { anyUnpack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FilterConfigSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { AllowListedRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb.js";
import { SafeCrossSchemeConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config_pb.js";
import { UriTemplateMatchConfigSchema } from "../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import { UriTemplateRewriteConfigSchema } from "../api/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js";
import { OmitHostMetadataConfigSchema } from "../api/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb.js";
import { EXTENSION_REGISTRY } from "../api/registry.ts";
import { typeUrlOf } from "../api/type-url.ts";
import { formatIssue } from "../base/issue.ts";
import { createPrng } from "../base/prng.ts";
import type { MatchRequest } from "./match-request.ts";
import { plainRequest } from "./plain-request.ts";
import { decodeRouteConfig, matchRouteConfig, type RouteConfig } from "./route-config.ts";
import type { RouteDecodeDeps } from "./route-context.ts";

const FILES: Readonly<Record<string, string>> = { "/etc/body": "from a file" };

/** No files but those, and one filter that routes can talk to. */
const DEPS: RouteDecodeDeps = {
  readFile(path) {
    const text = FILES[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  },
  decodeOverride: ({ any }) =>
    any.typeUrl === typeUrlOf(StringValueSchema) ? anyUnpack(any, StringValueSchema) : "unknown",
};

const REGISTRY = createRegistry(
  ...EXTENSION_REGISTRY,
  AllowListedRoutesConfigSchema,
  FilterConfigSchema,
  OmitHostMetadataConfigSchema,
  SafeCrossSchemeConfigSchema,
  StringValueSchema,
  UriTemplateMatchConfigSchema,
  UriTemplateRewriteConfigSchema,
);

function decode(json: JsonValue): RouteConfig {
  const decoded = decodeRouteConfig(
    fromJson(RouteConfigurationSchema, json, { registry: REGISTRY }),
    DEPS,
  );
  if (!decoded.ok) throw new Error(decoded.issues.map(formatIssue).join("; "));
  return decoded.value;
}

function issuesOf(json: JsonValue): string[] {
  const decoded = decodeRouteConfig(
    fromJson(RouteConfigurationSchema, json, { registry: REGISTRY }),
    DEPS,
  );
  return decoded.ok ? [] : decoded.issues.map(formatIssue);
}

function table(routes: JsonValue[]): JsonValue {
  return { name: "t", virtual_hosts: [{ name: "v", domains: ["*"], routes }] };
}

function request(path: string, headers: Record<string, string> = {}, method = "GET"): MatchRequest {
  const entries = Object.entries(headers);
  return plainRequest({ method, path, authority: "a.test", scheme: "http", headers: entries });
}

const prng = createPrng(1);

/** Whether a route with this match takes the request. */
function isMatch(match: JsonValue, asked: MatchRequest): boolean {
  const config = decode(table([{ match, direct_response: { status: 200 } }]));
  return matchRouteConfig(config, asked, prng).route !== undefined;
}

describe("matchRouteConfig() on virtual hosts", () => {
  const domains: Record<string, string[]> = {
    exact: ["foo.test", "FOO.test:8080"],
    suffix: ["*.test"],
    longer: ["*.foo.test", "*-bar.foo.test"],
    prefix: ["foo.*"],
    any: ["*"],
  };
  const config = decode({
    virtual_hosts: Object.entries(domains).map(([name, list]) => ({ name, domains: list })),
  });
  const cases = [
    ["foo.test", "exact"],
    ["Foo.Test", "exact"],
    ["foo.test:8080", "exact"],
    ["foo.test:80", "prefix"],
    ["x.test", "suffix"],
    [".test", "any"],
    ["x.foo.test", "longer"],
    ["y-bar.foo.test", "longer"],
    ["foo.com", "prefix"],
    ["foo.", "any"],
    ["", "any"],
  ] as const;
  test.each(cases)("%j belongs to %s", (authority, name) => {
    expect(config.findVirtualHost(authority)?.name).toBe(name);
  });

  test("the port does not count when the table says so", () => {
    const ignoring = decode({
      ignore_port_in_host_matching: true,
      virtual_hosts: [
        { name: "four", domains: ["a.test"] },
        { name: "six", domains: ["[::1]"] },
      ],
    });
    expect(ignoring.findVirtualHost("a.test:99")?.name).toBe("four");
    expect(ignoring.findVirtualHost("[::1]:99")?.name).toBe("six");
    expect(ignoring.findVirtualHost("[::1]")?.name).toBe("six");
  });

  test("a domain that stands there twice refuses the table", () => {
    const hosts = ["one", "two"].map((name) => ({ name, domains: ["a.test"] }));
    expect(issuesOf({ name: "r", virtual_hosts: hosts })).toEqual([
      "Only unique values for domains are permitted. Duplicate entry of domain a.test in route r",
    ]);
  });
});

describe("matchRouteConfig() on routes", () => {
  const cases: [JsonValue, MatchRequest, boolean][] = [
    [{ prefix: "/a" }, request("/ab?x"), true],
    [{ prefix: "/a" }, request("/A"), false],
    [{ prefix: "/a", case_sensitive: false }, request("/Ab"), true],
    [{ path: "/a" }, request("/a?x=1"), true],
    [{ path: "/a" }, request("/a/"), false],
    [{ path: "/A", case_sensitive: false }, request("/a"), true],
    [{ path_separated_prefix: "/a" }, request("/a/b"), true],
    [{ path_separated_prefix: "/a" }, request("/a?x"), true],
    [{ path_separated_prefix: "/a" }, request("/ab"), false],
    [{ safe_regex: { regex: "/a|/b" } }, request("/b?x"), true],
    [{ safe_regex: { regex: "/a|/b" } }, request("/bc"), false],
    [{ safe_regex: { regex: "(?i)/A[0-9]{2}" } }, request("/a12"), true],
    [{ prefix: "/", headers: [{ name: "x" }] }, request("/", { x: "" }), true],
    [{ prefix: "/", headers: [{ name: "x" }] }, request("/"), false],
    [{ prefix: "/", headers: [{ name: "x", present_match: false }] }, request("/"), true],
    [{ prefix: "/", headers: [{ name: "x", invert_match: true }] }, request("/"), true],
    [
      { prefix: "/", headers: [{ name: "End-User", string_match: { exact: "jason" } }] },
      request("/", { "end-user": "jason" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { exact: "j" }, invert_match: true }] },
      request("/"),
      false,
    ],
    [
      {
        prefix: "/",
        headers: [
          {
            name: "x",
            string_match: { exact: "" },
            invert_match: true,
            treat_missing_header_as_empty: true,
          },
        ],
      },
      request("/"),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { prefix: "AB", ignore_case: true } }] },
      request("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { suffix: "c" } }] },
      request("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { contains: "b" } }] },
      request("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { safe_regex: { regex: "a.c" } } }] },
      request("/", { x: "abcd" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "-5", end: "10" } }] },
      request("/", { x: "-5" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "-5", end: "10" } }] },
      request("/", { x: "10" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "0", end: "10" } }] },
      request("/", { x: "5a" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: ":method", string_match: { exact: "PUT" } }] },
      request("/", {}, "PUT"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":authority", string_match: { prefix: "a." } }] },
      request("/"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "host", string_match: { exact: "a.test" } }] },
      request("/"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":path", string_match: { exact: "/q?z" } }] },
      request("/q?z"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":scheme", string_match: { exact: "https" } }] },
      request("/"),
      false,
    ],
    [{ prefix: "/", query_parameters: [{ name: "q" }] }, request("/?a=1&q"), true],
    [{ prefix: "/", query_parameters: [{ name: "q" }] }, request("/?qq=1"), false],
    [
      { prefix: "/", query_parameters: [{ name: "q", string_match: { exact: "1" } }] },
      request("/?q=1&q=2"),
      true,
    ],
    [
      { prefix: "/", query_parameters: [{ name: "q", string_match: { exact: "2" } }] },
      request("/?q=1&q=2"),
      false,
    ],
    [
      { prefix: "/", query_parameters: [{ name: "q", present_match: false }] },
      request("/?x=1"),
      true,
    ],
    [{ prefix: "/", runtime_fraction: { default_value: { numerator: 0 } } }, request("/"), false],
    [{ prefix: "/", runtime_fraction: { default_value: { numerator: 100 } } }, request("/"), true],
  ];
  test.each(cases)("%j", (match, asked, expected) => {
    expect(isMatch(match, asked)).toBe(expected);
  });

  test("the first route that matches wins, and the recorder hears why others lost", () => {
    const config = decode(
      table([
        { name: "one", match: { prefix: "/b" }, direct_response: { status: 200 } },
        {
          name: "two",
          match: { prefix: "/", headers: [{ name: "end-user" }] },
          direct_response: { status: 200 },
        },
        { name: "three", match: { prefix: "/" }, direct_response: { status: 200 } },
      ]),
    );
    const lost: string[] = [];
    const recorder = { lost: (what: string, why: string) => lost.push(`${what}: ${why}`) };
    expect(matchRouteConfig(config, request("/a"), prng, recorder).route?.name).toBe("three");
    expect(lost).toEqual(["route one: path is prefix /b", "route two: header end-user is present"]);
  });

  test("a fast match says the same as its criteria one by one", () => {
    const config = decode(
      table([
        {
          match: {
            prefix: "/a",
            headers: [{ name: "x" }, { name: "y", string_match: { exact: "1" } }],
            query_parameters: [{ name: "q" }],
          },
          direct_response: { status: 200 },
        },
      ]),
    );
    const [route] = config.virtualHosts[0]?.routes ?? [];
    const path = fc.constantFrom("/a", "/b", "/a?q", "/ab?q=1");
    const headers = fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "2"));
    fc.assert(
      fc.property(path, headers, (asked, given) => {
        const one = request(asked, given);
        const each = route?.criteria.every((criterion) => criterion.matches(one));
        expect(route?.matches(one, prng)).toBe(each);
      }),
    );
  });
});

describe("decodeRouteConfig()", () => {
  test("chooses clusters by weight", () => {
    const config = decode(
      table([
        {
          match: { prefix: "/" },
          route: {
            weighted_clusters: {
              clusters: [
                { name: "nine", weight: 90 },
                { name: "none", weight: 0 },
                { name: "one", weight: 10 },
              ],
            },
          },
        },
      ]),
    );
    const { route } = matchRouteConfig(config, request("/"), prng);
    const counts: Record<string, number> = {};
    for (let draw = 0; draw < 10_000; draw++) {
      const name =
        route?.action.kind === "cluster" ? route.action.chooseCluster(request("/"), prng).name : "";
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(["nine", "one"]);
    // Six standard deviations of a binomial draw.
    expect(Math.abs((counts["one"] ?? 0) - 1000)).toBeLessThan(180);
  });

  test("takes Istio's retry policy and timeouts", () => {
    const config = decode(
      table([
        {
          match: { prefix: "/" },
          route: {
            cluster: "c",
            timeout: "0s",
            max_grpc_timeout: "0s",
            retry_policy: {
              retry_on:
                "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
              num_retries: 2,
              retry_host_predicate: [
                {
                  name: "envoy.retry_host_predicates.previous_hosts",
                  typed_config: {
                    "@type":
                      "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                  },
                },
              ],
              host_selection_retry_max_attempts: "5",
              retriable_status_codes: [503],
            },
          },
        },
      ]),
    );
    const action = config.virtualHosts[0]?.routes[0]?.action;
    expect(action).toMatchObject({
      kind: "cluster",
      timeoutMs: 0,
      retryPolicy: { retriesMax: 2, onConnectFailure: true, onReset: false, hostDrawsMax: 5 },
    });
    const policy = action?.kind === "cluster" ? action.retryPolicy : undefined;
    expect([502, 503].map((status) => policy?.onStatus(status))).toEqual([false, true]);
    expect([...(policy?.onGrpcStatus ?? [])].sort()).toEqual(["1", "14"]);
  });

  const route = { match: { prefix: "/" }, route: { cluster: "c" } };
  const refused: [string, JsonValue, string][] = [
    ["a field that is not built", { vhds: {} }, "vhds: is not supported yet"],
    [
      "one deep inside",
      table([{ ...route, route: { cluster: "c", hedge_policy: {} } }]),
      "virtual_hosts[0].routes[0].route.hedge_policy: is not supported yet",
    ],
    [
      "a match that is not built",
      table([{ ...route, match: { prefix: "/", grpc: {} } }]),
      "virtual_hosts[0].routes[0].match.grpc: is not supported yet",
    ],
    [
      "a regular expression that RE2 refuses",
      table([{ ...route, match: { safe_regex: { regex: "(?=a)" } } }]),
      'virtual_hosts[0].routes[0].match.safe_regex: invalid regex "(?=a)": lookaround (?= is not part of it',
    ],
    [
      "weights without a sum",
      table([{ ...route, route: { weighted_clusters: { clusters: [{ name: "a", weight: 0 }] } } }]),
      "virtual_hosts[0].routes[0].route.weighted_clusters: Sum of weights in the weighted_cluster must be greater than 0.",
    ],
    [
      "a route without an action",
      table([{ match: { prefix: "/" } }]),
      "virtual_hosts[0].routes[0]: has no action",
    ],
  ];
  test.each(refused)("refuses %s by name", (_what, json, issue) => {
    expect(issuesOf(json)).toContain(issue);
  });

  test("builds redirects", () => {
    const cases: [JsonValue, string][] = [
      [{ path_redirect: "/new" }, "http://a.test/new?q"],
      [{ https_redirect: true }, "https://a.test/old/x?q"],
      [{ host_redirect: "b.test", strip_query: true }, "http://b.test/old/x"],
      [{ port_redirect: 81, response_code: "FOUND" }, "http://a.test:81/old/x?q"],
      [{ prefix_rewrite: "/n" }, "http://a.test/n/x?q"],
      [{ scheme_redirect: "ftp" }, "ftp://a.test/old/x?q"],
    ];
    for (const [redirect, location] of cases) {
      const config = decode(table([{ match: { prefix: "/old" }, redirect }]));
      const asked = request("/old/x?q");
      const { route: found } = matchRouteConfig(config, asked, prng);
      expect(found?.action.kind === "redirect" ? found.action.location(asked) : "").toBe(location);
    }
  });
});
