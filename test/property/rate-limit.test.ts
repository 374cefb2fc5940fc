import { request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { httpListener, socketAddress, staticCluster } from "../proxy/bootstrap-json.ts";
import { ScriptedUpstream } from "../proxy/scripted-upstream.ts";
import { statsOf, type TwinPlaces, Twins } from "../proxy/twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;

/** Another one each day; `SEED` repeats a run, and `TABLES` makes it longer. */
const SEED = Number(process.env["SEED"] ?? Math.floor(Date.now() / 86_400_000));
const HOSTS = Number(process.env["TABLES"] ?? 60);
const REQUESTS = 12;

const NAME = "envoy.filters.http.local_ratelimit";
const TYPES = "type.googleapis.com/envoy.extensions.filters.http.";
const ALL = { default_value: { numerator: 100 } };
const KEYS = ["a", "b"];
const VALUES = ["1", "2"];

const value = fc.constantFrom(...VALUES);
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(some, { nil: undefined, freq: 2 });

/** An action whose key and value a descriptor may have. */
const action: fc.Arbitrary<object> = fc.tuple(fc.constantFrom(...KEYS), value).chain(([key, one]) =>
  fc.constantFrom<object>(
    { generic_key: { descriptor_key: key, descriptor_value: one } },
    { request_headers: { header_name: `x-${key}`, descriptor_key: key } },
    { request_headers: { header_name: `x-${key}`, descriptor_key: key, skip_if_absent: true } },
    { query_parameters: { query_parameter_name: "q", descriptor_key: key, skip_if_absent: true } },
    {
      header_value_match: {
        descriptor_key: key,
        descriptor_value: one,
        expect_match: one === "1",
        headers: [{ name: "x-a", string_match: { exact: "1" } }],
      },
    },
    {
      query_parameter_value_match: {
        descriptor_key: key,
        descriptor_value: one,
        query_parameters: [{ name: "q", string_match: { exact: "2" } }],
      },
    },
  ),
);

const actions = fc.array(action, { minLength: 1, maxLength: 2 });
const option = fc.constantFrom("UNSPECIFIED", "UNSPECIFIED", "OFF", "DRAFT_VERSION_03");

const routeRule = fc
  .tuple(actions, fc.constantFrom(0, 0, 0, 1), option, maybe(fc.constant("some.key")))
  .map(([all, stage, x_ratelimit_option, disable_key]) => ({
    actions: all,
    stage,
    x_ratelimit_option,
    ...(disable_key === undefined ? {} : { disable_key }),
  }));

const ownRule = fc
  .tuple(
    actions,
    option,
    maybe(fc.tuple(fc.nat(3), fc.boolean())),
    fc.constantFrom(false, false, true),
  )
  .map(([all, x_ratelimit_option, hits, apply_on_stream_done]) => ({
    actions: all,
    x_ratelimit_option,
    apply_on_stream_done,
    ...(hits === undefined ? {} : { hits_addend: { number: hits[0], is_negative_hits: hits[1] } }),
  }));

const bucket = (maxTokens: number, interval: number): object => ({
  max_tokens: maxTokens,
  fill_interval: `${interval}s`,
});

/** No two of one limit are equal, or as fast as each other: their order would be chance. */
const descriptors = fc
  .uniqueArray(
    fc.tuple(
      fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { minLength: 1, maxLength: 2 }),
      fc.nat(4),
      fc.constantFrom(false, false, true),
    ),
    { maxLength: 4, selector: ([entries]) => JSON.stringify(entries) },
  )
  .map((all) =>
    all.map(([entries, maxTokens, shadow_mode], at) => ({
      entries: entries.map(([key, one]) => ({ key, value: one })),
      token_bucket: bucket(maxTokens, 100_000 * (at + 1)),
      shadow_mode,
    })),
  );

/** At most one that stands for any value: of several Envoy takes whichever it finds. */
const wildcard = maybe(
  fc.tuple(fc.constantFrom(...KEYS), fc.nat(3)).map(([key, maxTokens]) => ({
    entries: [{ key, value: "" }],
    token_bucket: bucket(maxTokens, 77_000),
  })),
);

const limit = fc.record({
  token_bucket: fc.nat(8).map((maxTokens) => bucket(maxTokens, 900_000)),
  descriptors: fc
    .tuple(descriptors, wildcard)
    .map(([all, any]) => (any === undefined ? all : [...all, any])),
  rate_limits: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    fc.array(ownRule, { maxLength: 3 }),
  ),
  always_consume_default_token_bucket: fc.boolean(),
  max_dynamic_descriptors: fc.integer({ min: 1, max: 3 }),
  enable_x_ratelimit_headers: fc.constantFrom("OFF", "DRAFT_VERSION_03", "DRAFT_VERSION_03"),
  vh_rate_limits: fc.constantFrom("OVERRIDE", "INCLUDE", "IGNORE"),
  stage: fc.constantFrom(0, 0, 1),
  filter_enforced: fc.constantFrom<object>(ALL, ALL, ALL, { default_value: {} }),
});

const host = fc.record({
  limit,
  route: fc.array(routeRule, { maxLength: 3 }),
  host: fc.array(routeRule, { maxLength: 2 }),
  includes: fc.boolean(),
});

/** Headers and the path of one request. */
const query = fc.record({
  a: maybe(value),
  b: maybe(value),
  path: fc.constantFrom("/", "/?q=1", "/?q=2", "/?p=1&q=%31"),
});

const hosts = fc.sample(host, { seed: SEED, numRuns: HOSTS });
const queries = fc.sample(fc.array(query, { minLength: REQUESTS, maxLength: REQUESTS }), {
  seed: SEED,
  numRuns: HOSTS,
});

function virtualHost(one: (typeof hosts)[number], at: number): object {
  const type = `${TYPES}local_ratelimit.v3.LocalRateLimit`;
  const own = { "@type": type, stat_prefix: `host_${at}`, filter_enabled: ALL, ...one.limit };
  return {
    name: `host ${at}`,
    domains: [`host-${at}.test`],
    rate_limits: one.host,
    routes: [
      {
        match: { prefix: "/" },
        route: { cluster: "up", rate_limits: one.route, include_vh_rate_limits: one.includes },
        typed_per_filter_config: { [NAME]: own },
      },
    ],
  };
}

let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  process.stderr.write(`rate limits: SEED=${SEED} TABLES=${HOSTS}\n`);
  upstream = await ScriptedUpstream.start();
  const unset = { "@type": `${TYPES}local_ratelimit.v3.LocalRateLimit`, stat_prefix: "unset" };
  twins = await Twins.start(["in"], ({ ports, adminPort }) => ({
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [
        httpListener("in", ports["in"] ?? 0, {
          http_filters: [
            { name: NAME, typed_config: unset },
            { name: "router", typed_config: { "@type": `${TYPES}router.v3.Router` } },
          ],
          route_config: { name: "in", virtual_hosts: hosts.map(virtualHost) },
        }),
      ],
      clusters: [staticCluster("up", [upstream.port])],
    },
  }));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

/** What a client sees of its limit. */
async function ask(
  { ports }: TwinPlaces,
  hostNumber: number,
  { a, b, path }: (typeof queries)[number][number],
): Promise<string> {
  const headers = {
    host: `host-${hostNumber}.test`,
    ...(a === undefined ? {} : { "x-a": a }),
    ...(b === undefined ? {} : { "x-b": b }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: ports["in"], path, headers, agent: false });
    sent.on("error", reject);
    sent.on("response", (answer) => {
      const { statusCode, headers: got } = answer;
      answer.resume();
      const told = ["limit", "remaining"].map((name) => String(got[`x-ratelimit-${name}`]));
      answer.on("end", () => resolve([statusCode, ...told].join(" ")));
    });
    sent.end();
  });
}

describe.skipIf(!HAS_ENVOY)("generated rate limits", () => {
  test("count in weft what they count in Envoy", async () => {
    const seen = new Set<string>();
    for (const [at, one] of hosts.entries()) {
      const [ours, theirs] = await Promise.all(
        twins.all.map(async (twin) => {
          const answers: string[] = [];
          for (const each of queries[at] ?? []) answers.push(await ask(twin, at, each));
          return answers;
        }),
      );
      const isEqual = ours?.join() === theirs?.join();
      const shown = isEqual ? {} : { seed: SEED, at, limit: one, queries: queries[at] };
      expect({ answers: ours, ...shown }).toEqual({ answers: theirs });
      for (const answer of ours ?? []) seen.add(answer.substring(0, 3));
    }
    expect([...seen].sort()).toEqual(["200", "429"]);
    const [counted, more] = await Promise.all(twins.all.map((twin) => statsOf(twin, "host_")));
    expect(counted).toEqual(more);
  });
});
