import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RouteConfigurationSchema } from "../../api/gen/envoy/config/route/v3/route_pb.js";
import { formatIssue } from "../../base/issue.ts";
import { createPrng } from "../../base/prng.ts";
import type { RouteConfig } from "../../match/route-config.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import { decodeEncodedTable } from "./route-table-decoder.ts";

const CORS = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy";

function encode(table: object): Uint8Array {
  const options = { registry: EXTENSION_TYPES };
  const message = fromJson(RouteConfigurationSchema, table as JsonValue, options);
  return toBinary(RouteConfigurationSchema, message);
}

function decode(table: object, previous?: RouteConfig): RouteConfig {
  const decoded = decodeEncodedTable(encode(table), previous);
  if (!decoded.ok) throw new Error(decoded.issues.map(formatIssue).join("\n"));
  return decoded.value.config;
}

function issuesOf(table: object, previous?: RouteConfig): readonly string[] {
  const decoded = decodeEncodedTable(encode(table), previous);
  return decoded.ok ? [] : decoded.issues.map(formatIssue);
}

function route(name: string, cluster = "c"): object {
  return { name, match: { path: `/${name}` }, route: { cluster } };
}

function host(name: string, routes: readonly object[], fields: object = {}): object {
  return { name, domains: [name], routes, ...fields };
}

/** With settings for a filter, which are counted. */
function corsRoute(name: string): object {
  const settings = { "envoy.filters.http.cors": { "@type": CORS } };
  return { ...route(name), typed_per_filter_config: settings };
}

describe("decodeEncodedTable()", () => {
  const before = {
    name: "r",
    virtual_hosts: [
      host("a", [route("a1"), route("a2"), corsRoute("a3")]),
      host("b", [route("b1")]),
      host("c", [route("c1")]),
    ],
  };

  it("leaves alone what did not change", () => {
    const first = decode(before);
    const [a, b, c] = first.virtualHosts;
    const second = decode(
      {
        name: "r",
        virtual_hosts: [
          host("c", [route("c1")]),
          host("a", [route("a1"), route("a2", "other"), corsRoute("a3")]),
          host("b", [route("b1")]),
        ],
      },
      first,
    );
    const [newC, newA, newB] = second.virtualHosts;
    expect(newC).toBe(c);
    expect(newB).toBe(b);
    expect(newA).not.toBe(a);
    expect(second.findVirtualHost("a")).toBe(newA);
    expect(second.filterSettings).toEqual(first.filterSettings);
    const third = decode(before, second);
    expect(third.virtualHosts[1]).toBe(newB);
  });

  it("leaves alone the other routes of a virtual host", () => {
    const first = decode(before);
    const routes = [route("new"), route("a1"), route("a2", "other"), corsRoute("a3")];
    const second = decode({ name: "r", virtual_hosts: [host("a", routes)] }, first);
    const old = first.virtualHosts[0]?.routes ?? [];
    const made = second.virtualHosts[0]?.routes ?? [];
    expect(made.map(({ name }) => name)).toEqual(["new", "a1", "a2", "a3"]);
    expect(made[1]).toBe(old[0]);
    expect(made[2]).not.toBe(old[1]);
    expect(made[3]).toBe(old[2]);
    expect(second.filterSettings).toHaveLength(1);
  });

  it.each([
    ["of the table", { request_headers_to_remove: ["x"] }, {}],
    ["of its virtual host", {}, { request_headers_to_remove: ["x"] }],
  ])("decodes a route anew under other settings %s", (_what, ofTable, ofHost) => {
    const first = decode(before);
    const virtualHosts = [host("a", [route("a1")], ofHost)];
    const second = decode({ name: "r", ...ofTable, virtual_hosts: virtualHosts }, first);
    const mutations = second.virtualHosts[0]?.routes[0]?.mutations.request ?? [];
    expect(first.virtualHosts[0]?.routes[0]?.mutations.request).toEqual([]);
    expect(mutations).toHaveLength(1);
  });

  it("names what is wrong where it stands, whatever was there before", () => {
    const first = decode(before);
    const wrong = {
      name: "r",
      virtual_hosts: [
        host("b", [route("b1")]),
        host("a", [route("a1"), { match: { prefix: "/" } }]),
        host("b", [route("b1")]),
      ],
    };
    expect(issuesOf(wrong, first)).toEqual(issuesOf(wrong));
    expect(issuesOf(wrong)).toEqual([
      "virtual_hosts[1].routes[1]: has no action",
      'virtual_hosts[2]: virtual host "b" stands there twice',
      "Only unique values for domains are permitted. Duplicate entry of domain b in route r",
    ]);
    const broken = { name: "r", virtual_hosts: [host("a", [], { domains: [""] })] };
    expect(issuesOf(broken, first)).toEqual(issuesOf(broken));
    const hedged = { ...route("x"), route: { cluster: "c", hedge_policy: {} } };
    const unbuilt = { name: "r", virtual_hosts: [host("a", [route("a1"), hedged])] };
    expect(issuesOf(unbuilt, first)).toEqual(issuesOf(unbuilt));
    expect(issuesOf(unbuilt)[0]).toMatch(/^virtual_hosts\[0\].routes\[1\].*hedge_policy/);
  });

  it("comes to the same over any changes as from nothing", () => {
    const prng = createPrng(7);
    const pick = (count: number): number => Math.floor(prng.next() * count);
    const shape = (config: RouteConfig): unknown => [
      config.virtualHosts.map(({ name, routes }) => [
        name,
        routes.map((one) => [one.name, one.action, one.filterOverrides.size]),
      ]),
      config.filterSettings.length,
      ["h0", "h3", "h7"].map((authority) => config.findVirtualHost(authority)?.name),
    ];
    const clusterNames = (value: unknown): string => JSON.stringify(value);
    let hosts = Array.from({ length: 8 }, (_, at) => ({ at, routes: [[at, 0]] }));
    let previous: RouteConfig | undefined;
    for (let step = 0; step < 300; step++) {
      const changed = hosts[pick(hosts.length)];
      const act = pick(5);
      if (act === 0 && hosts.length > 1) hosts = hosts.filter((one) => one !== changed);
      else if (act === 1) hosts = [...hosts.slice(1), ...hosts.slice(0, 1)];
      else if (act === 2) changed?.routes.splice(pick(3), 1, [step, pick(3)]);
      else if (act === 3) changed?.routes.push([step, pick(3)]);
      else if (!hosts.some(({ at }) => at === step % 10)) hosts.push({ at: step % 10, routes: [] });
      const table = {
        name: "r",
        virtual_hosts: hosts.map(({ at, routes }) =>
          host(
            `h${at}`,
            routes.map(([id, kind]) =>
              kind === 2 ? corsRoute(`r${id}`) : route(`r${id}`, `c${kind}`),
            ),
          ),
        ),
      };
      const next = decode(table, previous);
      expect(clusterNames(shape(next))).toBe(clusterNames(shape(decode(table))));
      previous = next;
    }
  });
});
