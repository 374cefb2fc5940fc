import { afterEach, describe, expect, test } from "vitest";
import { closeAll } from "./cluster-planes.ts";
import {
  askAll,
  endpointOf,
  hashCluster,
  keys,
  requestOf,
  startHashing,
  startNumbered,
} from "./hashing-planes.ts";

afterEach(closeAll);

const BY_HEADER = { hash_policy: [{ header: { header_name: "x-key" } }] };
/** So often in a row nobody is chosen by chance. */
const TIMES = 14;
const TYPE = "type.googleapis.com/envoy.extensions.load_balancing_policies.";

function typed(name: string, config: object): object {
  const typedConfig = { "@type": `${TYPE}${name}`, ...config };
  return {
    lb_policy: undefined,
    load_balancing_policy: {
      policies: [{ typed_extension_config: { name, typed_config: typedConfig } }],
    },
  };
}

describe("the same request goes to the same host as in Envoy", () => {
  test("with rings and tables of every kind", async () => {
    const ports = await startNumbered(9);
    const plain = [{ lb_endpoints: ports.map((port) => endpointOf(port)) }];
    const weighted = [
      {
        lb_endpoints: ports.map((port, at) =>
          endpointOf(port, { load_balancing_weight: 1 + at * at }),
        ),
      },
    ];
    const skewed = [
      {
        lb_endpoints: ports.map((port, at) =>
          endpointOf(port, { load_balancing_weight: at === 4 ? 1000 : 1 }),
        ),
      },
    ];
    const named = [
      {
        lb_endpoints: ports.map((port, at) => {
          const lb = at % 2 === 0 ? { hash_key: `käse-${at}` } : { hash_key: at };
          return endpointOf(port, {
            metadata: { filter_metadata: { "envoy.lb": lb } },
            endpoint: { hostname: `host-${at}.test` },
          });
        }),
      },
    ];
    const maglev = { lb_policy: "MAGLEV" };
    const murmur = { hash_function: "MURMUR_HASH_2" };
    const names = { consistent_hashing_lb_config: { use_hostname_for_hashing: true } };
    const clusters = [
      hashCluster("ring", plain),
      hashCluster("murmur", plain, { ring_hash_lb_config: { ...murmur, minimum_ring_size: 5000 } }),
      hashCluster("small", plain, {
        ring_hash_lb_config: { minimum_ring_size: 1, maximum_ring_size: 20 },
      }),
      hashCluster("tiny", weighted, {
        ring_hash_lb_config: { maximum_ring_size: 4, minimum_ring_size: 4 },
      }),
      hashCluster("weighted", weighted),
      hashCluster("keyed", named),
      hashCluster("typed", named, typed("ring_hash.v3.RingHash", { ...murmur, ...names })),
      hashCluster(
        "old",
        weighted,
        typed("ring_hash.v3.RingHash", { use_hostname_for_hashing: false }),
      ),
      hashCluster("maglev", plain, maglev),
      hashCluster("table", weighted, { ...maglev, maglev_lb_config: { table_size: 1009 } }),
      hashCluster("skewed", skewed, maglev),
      hashCluster("names", named, typed("maglev.v3.Maglev", { ...names, table_size: 257 })),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(250);
    const counts: number[] = [];
    for (const { name } of clusters) {
      const requests = all.map((key) => requestOf(`/${name}`, [`x-key: ${key}`]));
      const { weft, envoy } = await both.each((plane) => askAll(plane, requests));
      expect(weft).toHaveLength(all.length);
      expect({ name, hosts: weft }).toEqual({ name, hosts: envoy });
      counts.push(new Set(weft).size);
    }
    // Ports differ from run to run, and a ring of four points cannot have more than four of them.
    expect(counts.filter((count) => count >= 6).length).toBeGreaterThanOrEqual(9);
    const filter = "_lb\\.(size|m)";
    const stats = await both.each((plane) => plane.stats(filter));
    expect(Object.keys(stats.weft)).toHaveLength(8 * 3 + 4 * 2);
    expect(stats.weft).toEqual(stats.envoy);
  }, 60_000);
});

describe("hosts that have keys", () => {
  /** Which of nine hosts Envoy 1.40 sends a hundred keys to. */
  const CHOSEN: Readonly<Record<string, string>> = {
    ring: "4518180545400245687452036850038201101623775605307718356831313872871767144536046508581510478107360174",
    murmur:
      "3481723656101245485337476446036342747424161441621318724540168738634213106115487521840144354465433347",
    heavy:
      "7566885557458848687482886857658568878620777875787768386837643874868767744568746578588575878878865674",
    table:
      "8763236608288140881628078737864400745278503631863540784448538321617585774626046657411380574311016338",
    uneven:
      "7857785775767787774882277866678676378536674478628882865386787848846884758337748688576638648888766364",
  };

  test("get what they get from Envoy, whatever their addresses", async () => {
    const ports = await startNumbered(9);
    const of = (weightOf: (at: number) => number): readonly object[] => [
      {
        lb_endpoints: ports.map((port, at) =>
          endpointOf(port, {
            load_balancing_weight: weightOf(at),
            metadata: { filter_metadata: { "envoy.lb": { hash_key: `host-${at}` } } },
          }),
        ),
      },
    ];
    const even = of(() => 1);
    const uneven = of((at) => 1 + at * at);
    const maglev = { lb_policy: "MAGLEV" };
    const clusters = [
      hashCluster("ring", even),
      hashCluster("murmur", even, { ring_hash_lb_config: { hash_function: "MURMUR_HASH_2" } }),
      hashCluster("heavy", uneven, { ring_hash_lb_config: { maximum_ring_size: 2000 } }),
      hashCluster("table", even, maglev),
      hashCluster("uneven", uneven, { ...maglev, maglev_lb_config: { table_size: 1009 } }),
    ];
    const both = await startHashing(clusters, BY_HEADER);
    const all = keys(100);
    const seen = await both.each(async (plane) => {
      const chosen: Record<string, string> = {};
      for (const { name } of clusters) {
        const requests = all.map((key) => requestOf(`/${name}`, [`x-key: ${key}`]));
        const answers = await askAll(plane, requests);
        chosen[name] = answers.map((answer) => answer.replace("200 ", "")).join("");
      }
      return chosen;
    });
    expect(seen.envoy).toEqual(CHOSEN);
    expect(seen.weft).toEqual(CHOSEN);
  }, 60_000);
});

describe("what is hashed of a request", () => {
  const header = (name: string, more: object = {}): object => ({
    header: { header_name: name, ...more },
  });
  const regex = (pattern: string, substitution: string): object => ({
    regex_rewrite: { pattern: { google_re2: {}, regex: pattern }, substitution },
  });
  const cookie = { cookie: { name: "c" } };
  const query = { query_parameter: { name: "q" } };
  const sourceIp = { connection_properties: { source_ip: true } };
  const terminal = { terminal: true };
  const lines = (...all: string[]): readonly string[] => all;

  /** A route's policies and more, and requests that go there: path behind its own, and headers. */
  const CASES: Readonly<
    Record<
      string,
      readonly [route: object, requests: readonly (readonly [string, readonly string[]])[]]
    >
  > = {
    "a header": [
      { hash_policy: [header("X-Key")] },
      [
        ["", lines("x-key: one")],
        ["", lines("x-key: ")],
        ["", lines("x-key: a", "x-key: b")],
        ["", lines("x-key: b", "x-key: a")],
        ["", lines("x-key: a,b")],
        ["", lines("x-key: k\u00e4se")],
        ["", lines()],
      ],
    ],
    "what stands in the first line": [
      { hash_policy: [header(":path"), header(":method"), header("host"), header(":scheme")] },
      [
        ["/x?y", lines()],
        ["/z", lines()],
      ],
    ],
    "the host": [
      { hash_policy: [header("host")] },
      [
        ["", lines()],
        ["/other", lines("x: y")],
      ],
    ],
    "a header that is rewritten": [
      { hash_policy: [header("x-key", regex("^user-([0-9]+).*$", "\\1"))] },
      [
        ["", lines("x-key: user-17 and more")],
        ["", lines("x-key: 17")],
        ["", lines("x-key: other")],
        ["", lines("x-key: user-2b", "x-key: user-1a")],
        ["", lines("x-key: 1", "x-key: 2")],
      ],
    ],
    "a cookie": [
      { hash_policy: [cookie] },
      [
        ["", lines("cookie: c=one")],
        ["", lines('cookie: b=x; c="one"; d')],
        ["", lines("cookie: cc=x;c=one", "cookie: c=two")],
        ["", lines("cookie:  c=one;;")],
        ["", lines("cookie: c =one")],
        ["", lines("cookie: c=a=b")],
        ["", lines("cookie: c=")],
        ["", lines("cookie: c=", "cookie: c=two")],
        ["", lines('cookie: c="')],
        ["", lines('cookie: c=""')],
        ["", lines("cookie: c")],
        ["", lines("cookie: C=one")],
        ["", lines()],
      ],
    ],
    "a query parameter": [
      { hash_policy: [query] },
      [
        ["?q=one", lines()],
        ["?p=x&q=one&q=two", lines()],
        ["?q=%6fne", lines()],
        ["?q", lines()],
        ["?q=", lines()],
        ["?Q=one", lines()],
        ["?qq=one", lines()],
        ["", lines()],
        ["?", lines()],
      ],
    ],
    "the client's address": [
      { hash_policy: [sourceIp] },
      [
        ["", lines()],
        ["", lines("x-forwarded-for: 10.0.0.1")],
        ["", lines("x-forwarded-for: 10.0.0.1, 10.0.0.2")],
        ["", lines("x-forwarded-for: nobody")],
        ["", lines("x-forwarded-for: 2001:db8::1")],
        ["", lines("x-forwarded-for: 2001:DB8:0:0::1")],
        ["", lines("x-forwarded-for: ::ffff:10.0.0.1")],
      ],
    ],
    "not the client's address": [
      { hash_policy: [{ connection_properties: { source_ip: false } }] },
      [["", lines()]],
    ],
    "the filter state, in which there is nothing": [
      { hash_policy: [{ filter_state: { key: "envoy.tcp_proxy.cluster" } }] },
      [["", lines("x-key: one")]],
    ],
    "nothing of what is missing": [
      {
        hash_policy: [
          header("x-key"),
          { filter_state: { key: "x" }, terminal: true },
          { connection_properties: {}, terminal: true },
          query,
        ],
      },
      [
        ["?q=1", lines("x-key: one")],
        ["?q=1", lines()],
        ["", lines()],
      ],
    ],
    "one after the other": [
      { hash_policy: [header("x-key"), query, cookie] },
      [
        ["?q=one", lines("x-key: one", "cookie: c=one")],
        ["?q=one", lines("x-key: one")],
        ["", lines("x-key: one", "cookie: c=one")],
        ["?q=one", lines()],
      ],
    ],
    "the same twice": [
      { hash_policy: [header("x-key"), header("x-key"), header("x-key")] },
      [["", lines("x-key: one")]],
    ],
    "no more than is needed": [
      {
        hash_policy: [
          header("x-key"),
          { ...query, ...terminal },
          { ...sourceIp, ...terminal },
          cookie,
        ],
      },
      [
        ["?q=one", lines("x-key: one", "cookie: c=one")],
        ["?q=two", lines("x-key: one", "cookie: c=two")],
        ["", lines("x-key: one", "cookie: c=one")],
        ["", lines("cookie: c=one")],
      ],
    ],
    "what the route makes of what the client sent": [
      {
        hash_policy: [header("x-key"), header(":path"), header("host")],
        host_rewrite_literal: "elsewhere",
        prefix_rewrite: "/a/",
        request_headers_to_add: [
          {
            header: { key: "x-key", value: "another" },
            append_action: "OVERWRITE_IF_EXISTS",
          },
        ],
      },
      [
        ["/x", lines("x-key: one")],
        ["/x", lines("x-key: two")],
        ["/y", lines()],
      ],
    ],
  };

  test("is what Envoy hashes", async () => {
    const ports = await startNumbered(9);
    // Each bit of a hash counts in a Maglev table.
    const cluster = hashCluster("up", [{ lb_endpoints: ports.map((port) => endpointOf(port)) }], {
      lb_policy: "MAGLEV",
    });
    const routes = Object.values(CASES).map(([route], at) => {
      const { request_headers_to_add, ...action } = route as Record<string, unknown>;
      return {
        match: { prefix: `/${at}_` },
        route: { cluster: "up", ...action },
        request_headers_to_add,
      };
    });
    const both = await startHashing([cluster], {}, { routes });
    for (const [at, [name, [, requests]]] of Object.entries(CASES).entries()) {
      const seen = await both.each(async (plane) => {
        const texts = requests.map(([path, headers]) => requestOf(`/${at}_${path}`, headers));
        const answers = await askAll(
          plane,
          texts.flatMap((text) => Array<string>(TIMES).fill(text)),
        );
        const hosts = texts.map((_, index) => {
          const own = new Set(answers.slice(index * TIMES, (index + 1) * TIMES));
          return own.size === 1 ? [...own].join("") : "any";
        });
        return { name, hosts };
      });
      expect.soft(seen.weft).toEqual(seen.envoy);
      const strange = seen.weft.hosts.filter((one) => !/^200 \d$|^any$/.test(one));
      expect.soft({ name, strange }).toEqual({ name, strange: [] });
    }
  }, 60_000);
});
