import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "../proxy/data-plane.ts";
import type { RouteQuery } from "./route-table-cases.ts";
import { askInTurn } from "./route-table-run.ts";

const envoyProgram = findProgram("envoy");

const SEED = Number(process.env["SEED"] ?? Math.floor(Date.now() / 86_400_000));
const TABLES = Number(process.env["TABLES"] ?? 20);
const QUERIES = 60;

const block = fc
  .constantFrom("127.0.0.1/32", "127.0.0.0/8", "10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "::/0")
  .map((text): JsonValue => {
    const [address_prefix = "", bits] = text.split("/");
    return { address_prefix, prefix_len: Number(bits) };
  });

const string: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(
  { exact: "/a" },
  { prefix: "/a" },
  { suffix: "B", ignore_case: true },
  { contains: "1" },
  { exact: "" },
  { safe_regex: { regex: "/[ab]+" } },
);

const header: fc.Arbitrary<JsonValue> = fc
  .tuple(
    fc.constantFrom("x", ":path", ":method", "host"),
    fc.oneof(
      string.map((string_match) => ({ string_match })),
      fc.boolean().map((present_match) => ({ present_match })),
    ),
    fc.boolean(),
  )
  .map(([name, specifier, invert_match]) => ({ header: { name, invert_match, ...specifier } }));

const common: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constant<JsonValue>({ any: true }),
  header,
  string.map((path): JsonValue => ({ url_path: { path } })),
  fc.constantFrom<JsonValue>(
    { metadata: { filter: "f", path: [{ key: "k" }], value: { present_match: true } } },
    { metadata: { filter: "f", path: [{ key: "k" }], value: { null_match: {} }, invert: true } },
  ),
);

const ownPermission: fc.Arbitrary<JsonValue> = fc.oneof(
  block.map((destination_ip): JsonValue => ({ destination_ip })),
  fc.constantFrom<JsonValue>(
    { destination_port: 1 },
    { destination_port_range: { start: 1024, end: 65_536 } },
    { destination_port_range: { start: 1, end: 1024 } },
    { requested_server_name: { exact: "" } },
    { requested_server_name: { exact: "a.test" } },
    {
      uri_template: {
        name: "template",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
          path_template: "/a/*",
        },
      },
    },
  ),
);

const ownPrincipal: fc.Arbitrary<JsonValue> = fc.oneof(
  block.map((source_ip): JsonValue => ({ source_ip })),
  block.map((direct_remote_ip): JsonValue => ({ direct_remote_ip })),
  block.map((remote_ip): JsonValue => ({ remote_ip })),
  fc.constantFrom<JsonValue>(
    { authenticated: {} },
    { authenticated: { principal_name: { exact: "" } } },
    { filter_state: { key: "k", string_match: { exact: "" } } },
  ),
);

/** The rule itself, its opposite, or sets of them. */
function nested(
  leaf: fc.Arbitrary<JsonValue>,
  [and, or, not, items]: readonly [string, string, string, string],
): fc.Arbitrary<JsonValue> {
  const few = fc.array(leaf, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    leaf.map((rule): JsonValue => ({ [not]: rule })),
    few.map((rules): JsonValue => ({ [and]: { [items]: rules } })),
    few.map((rules): JsonValue => ({ [or]: { [items]: rules } })),
  );
}

const permission = nested(fc.oneof(common, ownPermission), [
  "and_rules",
  "or_rules",
  "not_rule",
  "rules",
]);
const principal = nested(fc.oneof(common, ownPrincipal), ["and_ids", "or_ids", "not_id", "ids"]);

const rules: fc.Arbitrary<JsonValue> = fc
  .record({
    action: fc.constantFrom("ALLOW", "DENY"),
    policies: fc.array(
      fc.record({
        permissions: fc.array(permission, { minLength: 1, maxLength: 2 }),
        principals: fc.array(principal, { minLength: 1, maxLength: 2 }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ action, policies }) => ({
    action,
    policies: Object.fromEntries(policies.map((policy, at) => [`policy ${9 - at}`, policy])),
  }));

const query: fc.Arbitrary<RouteQuery> = fc.record({
  method: fc.constantFrom("GET", "OPTIONS"),
  path: fc.constantFrom("/a", "/a?1", "/a/b", "/A/b?q=/x", "/b", "/ab", "/", "/1"),
  authority: fc.constantFrom("a.test", "1.test", "b.test:1"),
  headers: fc.array(
    fc.oneof(
      fc.constantFrom("", "1", "/a", "b").map((value) => ["x", value] as const),
      fc.constantFrom("10.1.2.3", "10.9.9.9", "9.9.9.9, 10.1.2.3", "none").map((value) => {
        return ["x-forwarded-for", value] as const;
      }),
    ),
    { maxLength: 2 },
  ),
});

const cases = fc.sample(
  fc.record({
    rules,
    queries: fc.array(query, { minLength: QUERIES, maxLength: QUERIES, size: "max" }),
  }),
  { seed: SEED, numRuns: TABLES },
);

interface Side {
  readonly plane: DataPlane;
  readonly ports: readonly number[];
}

let weft: Side | undefined;
let envoy: Side | undefined;

beforeAll(async () => {
  if (envoyProgram === undefined) return;
  process.stderr.write(`role based access: SEED=${SEED} TABLES=${TABLES}\n`);
  const [admin = 0, ...ports] = await freePorts(TABLES * 2 + 1);
  const [ours, theirs] = [ports.slice(0, TABLES), ports.slice(TABLES)];
  weft = { plane: await startWeft(bootstrap(undefined, ours)), ports: ours };
  envoy = {
    plane: await startEnvoy(envoyProgram, bootstrap(admin, theirs), admin),
    ports: theirs,
  };
});

afterAll(async () => {
  await weft?.plane.stop();
  await envoy?.plane.stop();
});

function bootstrap(adminPort: number | undefined, ports: readonly number[]): object {
  const address = (port: number): JsonValue => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  const typed = (type: string, config: object): object => ({
    name: type,
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.${type}`, ...config },
  });
  const routes = [
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } },
  ];
  return {
    ...(adminPort === undefined ? {} : { admin: { address: address(adminPort) } }),
    static_resources: {
      listeners: cases.map((one, at) => ({
        name: `rules-${at}`,
        address: address(ports[at] ?? 0),
        filter_chains: [
          {
            filters: [
              typed("network.http_connection_manager.v3.HttpConnectionManager", {
                stat_prefix: "http",
                route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
                http_filters: [
                  typed("http.rbac.v3.RBAC", { rules: one.rules }),
                  typed("http.router.v3.Router", {}),
                ],
              }),
            ],
          },
        ],
      })),
    },
  };
}

test.skipIf(envoyProgram === undefined).each(cases.map((one, at) => ({ ...one, at })))(
  "weft's proxy and Envoy let the same requests pass generated rules $at",
  async ({ rules: given, queries, at }) => {
    const ours = await askInTurn(weft?.ports[at] ?? 0, queries);
    const theirs = await askInTurn(envoy?.ports[at] ?? 0, queries);
    const first = theirs.findIndex((answer, index) => answer !== ours[index]);
    const asked = first === -1 ? undefined : { seed: SEED, query: queries[first], rules: given };
    expect({ asked, answer: ours[first] }).toEqual({ asked, answer: theirs[first] });
  },
);
