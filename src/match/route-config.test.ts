import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createPrng } from "../base/prng.ts";
import type { MatchRequest } from "./match-request.ts";
import { matchRouteConfig } from "./route-config.ts";
import { decodeTable, requestFor, tableIssues, tableOf } from "./route-fixture.ts";

const prng = createPrng(1);

/** Whether a route with this match takes the request. */
function isMatch(match: JsonValue, asked: MatchRequest): boolean {
  const config = decodeTable(tableOf([{ match, direct_response: { status: 200 } }]));
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
  const config = decodeTable({
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
    const ignoring = decodeTable({
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
    expect(tableIssues({ name: "r", virtual_hosts: hosts })).toEqual([
      "Only unique values for domains are permitted. Duplicate entry of domain a.test in route r",
    ]);
  });
});

describe("matchRouteConfig() on routes", () => {
  const cases: [JsonValue, MatchRequest, boolean][] = [
    [{ prefix: "/a" }, requestFor("/ab?x"), true],
    [{ prefix: "/a" }, requestFor("/A"), false],
    [{ prefix: "/a", case_sensitive: false }, requestFor("/Ab"), true],
    [{ path: "/a" }, requestFor("/a?x=1"), true],
    [{ path: "/a" }, requestFor("/a/"), false],
    [{ path: "/A", case_sensitive: false }, requestFor("/a"), true],
    [{ path_separated_prefix: "/a" }, requestFor("/a/b"), true],
    [{ path_separated_prefix: "/a" }, requestFor("/a?x"), true],
    [{ path_separated_prefix: "/a" }, requestFor("/ab"), false],
    [{ safe_regex: { regex: "/a|/b" } }, requestFor("/b?x"), true],
    [{ safe_regex: { regex: "/a|/b" } }, requestFor("/bc"), false],
    [{ safe_regex: { regex: "(?i)/A[0-9]{2}" } }, requestFor("/a12"), true],
    [{ prefix: "/", headers: [{ name: "x" }] }, requestFor("/", { x: "" }), true],
    [{ prefix: "/", headers: [{ name: "x" }] }, requestFor("/"), false],
    [{ prefix: "/", headers: [{ name: "x", present_match: false }] }, requestFor("/"), true],
    [{ prefix: "/", headers: [{ name: "x", invert_match: true }] }, requestFor("/"), true],
    [
      { prefix: "/", headers: [{ name: "End-User", string_match: { exact: "jason" } }] },
      requestFor("/", { "end-user": "jason" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { exact: "j" }, invert_match: true }] },
      requestFor("/"),
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
      requestFor("/"),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { prefix: "AB", ignore_case: true } }] },
      requestFor("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { suffix: "c" } }] },
      requestFor("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { contains: "b" } }] },
      requestFor("/", { x: "abc" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", string_match: { safe_regex: { regex: "a.c" } } }] },
      requestFor("/", { x: "abcd" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "-5", end: "10" } }] },
      requestFor("/", { x: "-5" }),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "-5", end: "10" } }] },
      requestFor("/", { x: "10" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "x", range_match: { start: "0", end: "10" } }] },
      requestFor("/", { x: "5a" }),
      false,
    ],
    [
      { prefix: "/", headers: [{ name: ":method", string_match: { exact: "PUT" } }] },
      requestFor("/", {}, "PUT"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":authority", string_match: { prefix: "a." } }] },
      requestFor("/"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: "host", string_match: { exact: "a.test" } }] },
      requestFor("/"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":path", string_match: { exact: "/q?z" } }] },
      requestFor("/q?z"),
      true,
    ],
    [
      { prefix: "/", headers: [{ name: ":scheme", string_match: { exact: "https" } }] },
      requestFor("/"),
      false,
    ],
    [{ prefix: "/", query_parameters: [{ name: "q" }] }, requestFor("/?a=1&q"), true],
    [{ prefix: "/", query_parameters: [{ name: "q" }] }, requestFor("/?qq=1"), false],
    [
      { prefix: "/", query_parameters: [{ name: "q", string_match: { exact: "1" } }] },
      requestFor("/?q=1&q=2"),
      true,
    ],
    [
      { prefix: "/", query_parameters: [{ name: "q", string_match: { exact: "2" } }] },
      requestFor("/?q=1&q=2"),
      false,
    ],
    [
      { prefix: "/", query_parameters: [{ name: "q", present_match: false }] },
      requestFor("/?x=1"),
      true,
    ],
    [
      { prefix: "/", runtime_fraction: { default_value: { numerator: 0 } } },
      requestFor("/"),
      false,
    ],
    [
      { prefix: "/", runtime_fraction: { default_value: { numerator: 100 } } },
      requestFor("/"),
      true,
    ],
  ];
  test.each(cases)("%j", (match, asked, expected) => {
    expect(isMatch(match, asked)).toBe(expected);
  });

  test("the first route that matches wins, and the recorder hears why others lost", () => {
    const config = decodeTable(
      tableOf([
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
    expect(matchRouteConfig(config, requestFor("/a"), prng, recorder).route?.name).toBe("three");
    expect(lost).toEqual(["route one: path is prefix /b", "route two: header end-user is present"]);
  });

  test("a fast match says the same as its criteria one by one", () => {
    const config = decodeTable(
      tableOf([
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
        const one = requestFor(asked, given);
        const each = route?.criteria.every((criterion) => criterion.matches(one));
        expect(route?.matches(one, prng)).toBe(each);
      }),
    );
  });
});

describe("decodeRouteConfig()", () => {
  test("chooses clusters by weight", () => {
    const config = decodeTable(
      tableOf([
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
    const { route } = matchRouteConfig(config, requestFor("/"), prng);
    const counts: Record<string, number> = {};
    for (let draw = 0; draw < 10_000; draw++) {
      const name =
        route?.action.kind === "cluster"
          ? route.action.chooseCluster(requestFor("/"), prng).name
          : "";
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(Object.keys(counts).sort()).toEqual(["nine", "one"]);
    // Six standard deviations of a binomial draw.
    expect(Math.abs((counts["one"] ?? 0) - 1000)).toBeLessThan(180);
  });

  test("takes Istio's retry policy and timeouts", () => {
    const config = decodeTable(
      tableOf([
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
    [
      "a field that is not built",
      { cluster_specifier_plugins: [{}] },
      "cluster_specifier_plugins: is not supported yet",
    ],
    [
      "one deep inside",
      tableOf([{ ...route, route: { cluster: "c", hedge_policy: {} } }]),
      "virtual_hosts[0].routes[0].route.hedge_policy: is not supported yet",
    ],
    [
      "a regular expression that RE2 refuses",
      tableOf([{ ...route, match: { safe_regex: { regex: "(?=a)" } } }]),
      'virtual_hosts[0].routes[0].match.safe_regex: invalid regex "(?=a)": lookaround (?= is not part of it',
    ],
    [
      "weights without a sum",
      tableOf([
        { ...route, route: { weighted_clusters: { clusters: [{ name: "a", weight: 0 }] } } },
      ]),
      "virtual_hosts[0].routes[0].route.weighted_clusters: Sum of weights in the weighted_cluster must be greater than 0.",
    ],
    [
      "a route without an action",
      tableOf([{ match: { prefix: "/" } }]),
      "virtual_hosts[0].routes[0]: has no action",
    ],
  ];
  test.each(refused)("refuses %s by name", (_what, json, issue) => {
    expect(tableIssues(json)).toContain(issue);
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
      const config = decodeTable(tableOf([{ match: { prefix: "/old" }, redirect }]));
      const asked = requestFor("/old/x?q");
      const { route: found } = matchRouteConfig(config, asked, prng);
      expect(found?.action.kind === "redirect" ? found.action.location(asked) : "").toBe(location);
    }
  });
});
