import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { createPrng } from "../base/prng.ts";
import type { TlsInfo } from "./connection-info.ts";
import type { HeaderMutations } from "./header-mutations.ts";
import { plainRequest } from "./plain-request.ts";
import type { ClusterAction, ClusterChoice, Route } from "./route.ts";
import { matchRouteConfig } from "./route-config.ts";
import { decodeTable, requestFor, tableIssues, tableOf } from "./route-fixture.ts";
import { NO_RUNTIME } from "./runtime-reader.ts";
import type { StreamInfo } from "./stream-info.ts";

const prng = createPrng(1);
const PREFIX = { match: { prefix: "/" } };

function routeOf(table: JsonValue): Route {
  const [route] = decodeTable(table).virtualHosts[0]?.routes ?? [];
  if (route === undefined) throw new Error("no route");
  return route;
}

function actionOf(action: JsonValue, match: JsonValue = PREFIX.match): ClusterAction {
  const route = routeOf(tableOf([{ match, route: action }]));
  if (route.action.kind !== "cluster") throw new Error("another action");
  return route.action;
}

function typed(name: string, json: { readonly [key: string]: JsonValue } = {}): JsonValue {
  return { name: "x", typed_config: { "@type": `type.googleapis.com/${name}`, ...json } };
}

function addition(key: string, value: string): JsonValue {
  return { header: { key, value } };
}

/** `name=value` of what is added, `-name` of what is removed, in order. */
function told(levels: readonly HeaderMutations[]): string {
  const texts = levels.flatMap(({ add, remove }) => [
    ...add.map(({ name, value }) => `${name}=${value({} as StreamInfo)}`),
    ...remove.map((name) => `-${name}`),
  ]);
  return texts.join(" ");
}

describe("decodeRouteConfig() on header mutations", () => {
  const level = (name: string): { [key: string]: JsonValue } => ({
    request_headers_to_add: [addition("X", name)],
    response_headers_to_remove: [`Y-${name}`],
  });
  const table = (mostSpecificWins: boolean): JsonValue => ({
    ...level("table"),
    most_specific_header_mutations_wins: mostSpecificWins,
    virtual_hosts: [
      {
        name: "v",
        domains: ["*"],
        ...level("host"),
        routes: [
          {
            ...PREFIX,
            ...level("route"),
            route: {
              weighted_clusters: { clusters: [{ name: "c", weight: 1, ...level("cluster") }] },
            },
          },
        ],
      },
    ],
  });

  test.each([
    [false, "x=cluster x=route x=host x=table", "-y-cluster -y-route -y-host -y-table"],
    [true, "x=cluster x=table x=host x=route", "-y-cluster -y-table -y-host -y-route"],
  ])("puts the levels in order, most_specific_header_mutations_wins: %s", (wins, sent, got) => {
    const { action } = routeOf(table(wins));
    const choice =
      action.kind === "cluster" ? action.chooseCluster(requestFor("/"), prng) : undefined;
    expect(told(choice?.mutations.request ?? [])).toBe(sent);
    expect(told(choice?.mutations.response ?? [])).toBe(got);
  });

  test("reads what happens to a header that is there", () => {
    const option = (more: { [key: string]: JsonValue }): JsonValue => ({
      header: { key: "x", value: "1" },
      ...more,
    });
    const route = routeOf(
      tableOf([
        {
          ...PREFIX,
          direct_response: { status: 200 },
          response_headers_to_add: [
            option({}),
            option({ append: false }),
            option({ append: true, keep_empty_value: true }),
            option({ append_action: "ADD_IF_ABSENT" }),
            option({ append_action: "OVERWRITE_IF_EXISTS" }),
          ],
        },
      ]),
    );
    const actions = route.mutations.response[0]?.add.map(({ action }) => action);
    expect(actions).toEqual([
      "APPEND_IF_EXISTS_OR_ADD",
      "OVERWRITE_IF_EXISTS_OR_ADD",
      "APPEND_IF_EXISTS_OR_ADD",
      "ADD_IF_ABSENT",
      "OVERWRITE_IF_EXISTS",
    ]);
    expect(route.mutations.response[0]?.add.map(({ keepsEmpty }) => keepsEmpty)).toEqual([
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  const ofRoute = (fields: { [key: string]: JsonValue }): JsonValue =>
    tableOf([{ ...PREFIX, route: { cluster: "c" }, ...fields }]);
  const path = "virtual_hosts[0].routes[0]";
  const refused: [JsonValue, string][] = [
    [
      ofRoute({ request_headers_to_add: [addition(":path", "/")] }),
      `${path}.request_headers_to_add[0].header.key: :-prefixed or host headers may not be modified`,
    ],
    [
      ofRoute({ request_headers_to_remove: ["Host"] }),
      `${path}.request_headers_to_remove[0]: :-prefixed or host headers may not be removed`,
    ],
    [
      ofRoute({ response_headers_to_add: [addition("x", "%NOTHING%")] }),
      `${path}.response_headers_to_add[0].header.value: Not supported field in StreamInfo: NOTHING`,
    ],
    [
      ofRoute({
        response_headers_to_add: [
          { ...(addition("x", "") as object), append: false, append_action: "ADD_IF_ABSENT" },
        ],
      }),
      `${path}.response_headers_to_add[0]: Both append and append_action are set and it's not allowed`,
    ],
  ];
  test.each(refused)("refuses %#", (json, issue) => {
    expect(tableIssues(json)).toEqual([issue]);
  });
});

test("decodeRouteConfig() gives filters what the most specific level says", () => {
  const text = (value: string): JsonValue => ({
    "@type": "type.googleapis.com/google.protobuf.StringValue",
    value,
  });
  const wrapper = (fields: { [key: string]: JsonValue }): JsonValue => ({
    "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
    ...fields,
  });
  const unknown = { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig" };
  const route = routeOf({
    typed_per_filter_config: { one: text("table"), two: text("table"), three: text("table") },
    virtual_hosts: [
      {
        name: "v",
        domains: ["*"],
        typed_per_filter_config: {
          two: wrapper({ config: text("host") }),
          three: wrapper({ disabled: true }),
          four: wrapper({ is_optional: true, config: unknown }),
        },
        routes: [{ ...PREFIX, direct_response: { status: 200 } }],
      },
    ],
  });
  const seen = [...route.filterOverrides].map(([name, { isDisabled, config }]) => [
    name,
    isDisabled,
    (config as { value?: string } | undefined)?.value,
  ]);
  expect(seen).toEqual([
    ["one", false, "table"],
    ["two", false, "host"],
    ["three", true, "table"],
  ]);
  expect(tableIssues({ typed_per_filter_config: { x: unknown } })).toEqual([
    'typed_per_filter_config["x"]: Empty route/virtual host per filter configuration for x filter',
  ]);
});

describe("chooseCluster()", () => {
  const choose = (
    action: ClusterAction,
    headers: Readonly<Record<string, string>> = {},
    runtime: Readonly<Record<string, number>> = {},
  ): ClusterChoice => {
    const { headers: found, ...rest } = requestFor("/", headers);
    return action.chooseCluster(
      {
        ...rest,
        headers: found,
        runtime: { ...NO_RUNTIME, integer: (key) => runtime[key] },
      },
      prng,
    );
  };

  test("takes the name from a header", () => {
    const action = actionOf({ cluster_header: "X-To" });
    expect(choose(action, { "x-to": "c" }).name).toBe("c");
    expect(choose(action).name).toBe("");
    expect(action.clusterNames).toEqual([]);
  });

  const weighted = (fields: { [key: string]: JsonValue }): ClusterAction =>
    actionOf({
      metadata_match: {
        filter_metadata: { "envoy.lb": { version: "v1", zone: { b: 1, a: [true] } } },
      },
      host_rewrite_literal: "all.test",
      weighted_clusters: {
        ...fields,
        clusters: [
          { name: "one", weight: 1 },
          {
            name: "two",
            weight: 3,
            host_rewrite_literal: "two.test",
            metadata_match: { filter_metadata: { "envoy.lb": { version: "v2" } } },
          },
        ],
      },
    });

  test("draws by the number in a header", () => {
    const action = weighted({ header_name: "X-Draw" });
    const names = ["0", "1", "3", "4", "18446744073709551615"].map(
      (value) => choose(action, { "x-draw": value }).name,
    );
    expect(names).toEqual(["one", "two", "two", "one", "two"]);
  });

  test("draws by the weights of the runtime", () => {
    const action = weighted({ runtime_key_prefix: "w" });
    expect(choose(action, {}, { "w.one": 0 }).name).toBe("two");
    expect(choose(action, {}, { "w.two": 0 }).name).toBe("one");
    expect(choose(action, {}, { "w.one": 0, "w.two": 0 }).name).toBe("");
  });

  test("adds to the action's own what the cluster says", () => {
    const action = weighted({ header_name: "x" });
    const [one, two] = ["0", "1"].map((value) => choose(action, { x: value }));
    const zone = { key: "zone", value: '{"a":[true],"b":1}' };
    expect(one).toMatchObject({
      subset: [{ key: "version", value: '"v1"' }, zone],
      hostRewrite: { kind: "literal", host: "all.test" },
    });
    expect(two).toMatchObject({
      subset: [{ key: "version", value: '"v2"' }, zone],
      ownHost: "two.test",
      hostRewrite: { kind: "literal", host: "all.test" },
    });
  });
});

describe("decodeClusterAction()", () => {
  const regex = (pattern: string, substitution: string): JsonValue => ({
    pattern: { regex: pattern },
    substitution,
  });
  const rewrites: [JsonValue, JsonValue, string, string][] = [
    [{ prefix: "/a" }, { prefix_rewrite: "/n" }, "/ab/c?q", "/nb/c?q"],
    [{ prefix: "/a/" }, { prefix_rewrite: "/" }, "/a/b", "/b"],
    [{ path: "/a" }, { prefix_rewrite: "/n" }, "/a?q", "/n?q"],
    [{ safe_regex: { regex: "/.*" } }, { prefix_rewrite: "/n" }, "/a/b?q", "/n?q"],
    [{ path_separated_prefix: "/a" }, { prefix_rewrite: "/n" }, "/a/b", "/n/b"],
    [
      { prefix: "/" },
      { regex_rewrite: regex("/([^/]+)/(.*)", "/\\2/\\1") },
      "/a/b?x/y",
      "/b/a?x/y",
    ],
    [
      {
        path_match_policy: typed(
          "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
          { path_template: "/{a}/{b=**}" },
        ),
      },
      {
        path_rewrite_policy: typed(
          "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig",
          { path_template_rewrite: "/{b}/{a}" },
        ),
      },
      "/x/y/z?q",
      "/y/z/x?q",
    ],
  ];
  test.each(rewrites)("with %j rewrites %j", (match, rewrite, from, to) => {
    const action = actionOf({ cluster: "c", ...(rewrite as object) }, match);
    expect(action.rewritePath?.(from)).toBe(to);
  });

  test("reads how the host is rewritten", () => {
    const hostOf = (fields: object): unknown =>
      actionOf({ cluster: "c", ...fields }).chooseCluster(requestFor("/"), prng).hostRewrite;
    expect(hostOf({})).toBeUndefined();
    expect(hostOf({ auto_host_rewrite: false })).toBeUndefined();
    expect(hostOf({ auto_host_rewrite: true })).toEqual({ kind: "auto" });
    expect(hostOf({ host_rewrite_header: "X-Host" })).toEqual({ kind: "header", name: "x-host" });
    const rewrite = hostOf({ host_rewrite_path_regex: regex("^/(.+)/.+$", "\\1.test") });
    const byPath = rewrite as { kind: string; rewrite: (path: string) => string };
    expect([byPath.kind, byPath.rewrite("/a/b?q")]).toEqual(["path", "a.test"]);
  });

  test("reads retries, redirects, upgrades and limits", () => {
    const action = actionOf({
      cluster: "c",
      priority: "HIGH",
      append_x_forwarded_host: true,
      max_stream_duration: { max_stream_duration: "5s", grpc_timeout_header_offset: "0.1s" },
      retry_policy: {
        retry_on: "retriable-headers,envoy-ratelimited,reset-before-request",
        per_try_idle_timeout: "2s",
        retriable_headers: [
          { name: "X-Retry" },
          { name: ":status", range_match: { start: "500", end: "502" } },
        ],
        retriable_request_headers: [{ name: ":method", string_match: { exact: "GET" } }],
        rate_limited_retry_back_off: {
          reset_headers: [{ name: "Retry-After" }, { name: "X-Reset", format: "UNIX_TIMESTAMP" }],
          max_interval: "60s",
        },
        retry_host_predicate: [
          typed("envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate"),
          typed("envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig", {
            metadata_match: { filter_metadata: { "envoy.lb": { spare: true } } },
          }),
        ],
      },
      internal_redirect_policy: {
        max_internal_redirects: 3,
        redirect_response_codes: [303, 200],
        allow_cross_scheme_redirect: true,
        response_headers_to_copy: ["X-Copy"],
        predicates: [
          typed("envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig"),
          typed("envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig"),
          typed(
            "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig",
            {
              allowed_route_names: ["r"],
            },
          ),
        ],
      },
      upgrade_configs: [
        { upgrade_type: "WebSocket", enabled: false },
        {
          upgrade_type: "CONNECT",
          connect_config: { allow_post: true, proxy_protocol_config: { version: "V2" } },
        },
      ],
    });
    expect(action).toMatchObject({
      isHighPriority: true,
      appendsForwardedHost: true,
      streamLimits: { maxMs: 5000, grpcTimeoutMsMax: undefined, grpcTimeoutOffsetMs: 100 },
      retryPolicy: {
        onRateLimited: true,
        onResetBeforeRequest: true,
        perTryIdleTimeoutMs: 2000,
        resetHeaders: [
          { name: "retry-after", format: "SECONDS" },
          { name: "x-reset", format: "UNIX_TIMESTAMP" },
        ],
        resetMsMax: 60_000,
        avoidsPreviousHosts: false,
        omitsCanaries: true,
        omitsHosts: [[{ key: "spare", value: "true" }]],
      },
      internalRedirect: {
        redirectsMax: 3,
        statuses: new Set([303]),
        allowsCrossScheme: true,
        isSafeCrossScheme: true,
        avoidsPreviousRoutes: true,
        allowedRoutes: new Set(["r"]),
        responseHeadersToCopy: ["x-copy"],
      },
    });
    expect([...action.upgrades]).toEqual([
      ["websocket", { isEnabled: false, connect: undefined }],
      ["connect", { isEnabled: true, connect: { allowsPost: true, proxyProtocol: "V2" } }],
    ]);
    const { headers } = plainRequest({ headers: [["x-retry", ""]] });
    const none = plainRequest({}).headers;
    const wants = (status: number, found = none): boolean =>
      action.retryPolicy?.onHeaders.some((test) => test({ status, headers: found })) === true;
    expect([wants(200), wants(200, headers), wants(501), wants(502)]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test("takes the mirrors of the nearest level that has some", () => {
    const clusters = (host: JsonValue[], route: JsonValue[]): readonly string[] => {
      const { action } = routeOf({
        request_mirror_policies: [{ cluster: "table" }],
        virtual_hosts: [
          {
            name: "v",
            domains: ["*"],
            request_mirror_policies: host,
            routes: [{ ...PREFIX, route: { cluster: "c", request_mirror_policies: route } }],
          },
        ],
      });
      return action.kind === "cluster" ? action.mirrors.map(({ cluster }) => cluster) : [];
    };
    expect(clusters([], [])).toEqual(["table"]);
    expect(clusters([{ cluster: "host" }], [])).toEqual(["host"]);
    expect(clusters([{ cluster: "host" }], [{ cluster: "a" }, { cluster: "b" }])).toEqual([
      "a",
      "b",
    ]);
  });

  const path = "virtual_hosts[0].routes[0].route";
  const refused: [JsonValue, string][] = [
    [
      { cluster: "c", prefix_rewrite: "/", regex_rewrite: regex("a", "b") },
      `${path}: Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy`,
    ],
    [
      { cluster: "c", request_mirror_policies: [{}] },
      `${path}.request_mirror_policies[0]: Exactly one of cluster or cluster_header in request mirror policy need to be specified`,
    ],
    [
      { weighted_clusters: { clusters: [{ weight: 1 }] } },
      `${path}.weighted_clusters.clusters[0]: At least one of name or cluster_header need to be specified`,
    ],
    [
      { cluster: "c", upgrade_configs: [{ upgrade_type: "a" }, { upgrade_type: "A" }] },
      `${path}.upgrade_configs[1]: Duplicate upgrade A`,
    ],
    [
      { cluster: "c", internal_redirect_policy: { response_headers_to_copy: ["host"] } },
      `${path}.internal_redirect_policy.response_headers_to_copy[0]: :-prefixed headers or Hosts may not be specified here.`,
    ],
    [
      { cluster: "c", hash_policy: [{ terminal: true }] },
      `${path}.hash_policy[0]: names nothing to hash`,
    ],
    [
      { cluster: "c", hash_policy: [{ cookie: { name: "c", path: "/\r\nx: y" } }] },
      `${path}.hash_policy[0].cookie.path: must not have the end of a line in it`,
    ],
  ];
  test.each(refused)("refuses %j", (action, issue) => {
    expect(tableIssues(tableOf([{ ...PREFIX, route: action }]))).toEqual([issue]);
  });
});

describe("decodeDirectAction()", () => {
  const answer = (body: JsonValue, more = {}): JsonValue => ({
    ...(tableOf([{ ...PREFIX, direct_response: { status: 200, body } }]) as object),
    ...more,
  });

  test("reads the body from a file", () => {
    expect(routeOf(answer({ filename: "/etc/body" })).action).toMatchObject({
      body: "from a file",
    });
    expect(tableIssues(answer({ filename: "/etc/other" }))).toEqual([
      "virtual_hosts[0].routes[0].direct_response.body.filename: cannot be read: no such file",
    ]);
  });

  test("bounds the body", () => {
    expect(
      tableIssues(answer({ inline_string: "four" }, { max_direct_response_body_size_bytes: 3 })),
    ).toEqual([
      "virtual_hosts[0].routes[0].direct_response.body: response body size is 4 bytes; maximum is 3",
    ]);
  });
});

describe("compileRouteMatch()", () => {
  const isTaken = (match: JsonValue, parts: Parameters<typeof plainRequest>[0]): boolean => {
    const config = decodeTable(tableOf([{ match, direct_response: { status: 200 } }]));
    const asked = plainRequest({ method: "GET", path: "/", scheme: "http", ...parts });
    return matchRouteConfig(config, asked, prng).route !== undefined;
  };
  const tls = (hasPeer: boolean, isPeerValidated: boolean): { connection: { tls: TlsInfo } } => ({
    connection: { tls: { peer: hasPeer ? {} : undefined, isPeerValidated } as TlsInfo },
  });
  const presented = { prefix: "/", tls_context: { presented: true } };
  const notValidated = { prefix: "/", tls_context: { validated: false } };
  const metadata = {
    prefix: "/",
    dynamic_metadata: [
      { filter: "f", path: [{ key: "a" }], value: { string_match: { exact: "b" } } },
    ],
  };
  const cases: [JsonValue, Parameters<typeof plainRequest>[0], boolean][] = [
    [{ connect_matcher: {} }, { method: "CONNECT", path: "" }, true],
    [{ connect_matcher: {} }, {}, false],
    [{ prefix: "" }, { method: "CONNECT", path: "" }, false],
    [{ safe_regex: { regex: ".*" } }, { method: "CONNECT", path: "" }, false],
    [presented, {}, false],
    [presented, tls(true, false), true],
    [presented, tls(false, false), false],
    [notValidated, tls(true, false), true],
    [notValidated, tls(true, true), false],
    [notValidated, {}, false],
    [metadata, {}, false],
    [metadata, { dynamicMetadata: () => ({ a: "b" }) }, true],
    [metadata, { dynamicMetadata: () => ({ a: ["b"] }) }, false],
  ];
  test.each(cases)("%j on %j: %s", (match, parts, expected) => {
    expect(isTaken(match, parts)).toBe(expected);
  });
});
