import { create, toBinary } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { VirtualHostSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { SimClock } from "../base/sim-clock.ts";
import type { OnDemandTable, RouteConfig } from "../match/route-config.ts";
import type { WireResource } from "../xdsclient/resource-type.ts";
import { decodeRouteTable } from "./decode/route-table.ts";
import { type HostAnswer, ON_DEMAND_ZERO, OnDemandHosts } from "./on-demand-hosts.ts";

const ADS = {
  configSource: { configSourceSpecifier: { case: "ads", value: {} }, resourceApiVersion: 2 },
} as const;

function table(...domains: readonly string[]): OnDemandTable {
  const virtualHosts = domains.map((domain) => ({ name: domain, domains: [domain] }));
  const decoded = decodeRouteTable(
    create(RouteConfigurationSchema, { name: "r", virtualHosts, vhds: ADS }),
  );
  if (!decoded.ok || decoded.value.onDemand === undefined) throw new Error("no table");
  return decoded.value.onDemand;
}

function host(name: string, ...domains: readonly string[]): WireResource {
  const message = create(VirtualHostSchema, { name, domains: [...domains] });
  return { name, aliases: [], version: "1", body: toBinary(VirtualHostSchema, message) };
}

describe("OnDemandHosts", () => {
  let counters: typeof ON_DEMAND_ZERO;
  let config: RouteConfig | undefined;
  let hosts: OnDemandHosts;
  let clock: SimClock;

  beforeEach(() => {
    counters = { ...ON_DEMAND_ZERO };
    config = undefined;
    clock = new SimClock();
    hosts = new OnDemandHosts("r", table("own.com"), {
      clock,
      onNames: () => undefined,
      onChange: (next) => {
        config = next;
      },
      count: (name, by) => {
        counters[name] += by;
      },
    });
  });

  function find(authority: string): string | undefined {
    return config?.findVirtualHost(authority)?.name;
  }

  it("asks for no more hosts than it may, and gives up the first for the next", () => {
    for (let at = 0; at < 4096; at++) hosts.ask(`h${at}.com`, () => undefined);
    expect(counters).toMatchObject({ hosts_asked: 1024, rq_waiting: 1024, rq_overflow: 3072 });
    for (let at = 0; at < 4096; at++) {
      hosts.ask(`h${at}.com`, () => undefined);
      hosts.update([host(`r/h${at}.com`, `h${at}.com`)], []);
    }
    expect(counters).toMatchObject({ hosts_asked: 4096, hosts_evicted: 0, rq_waiting: 0 });
    expect(find("h0.com")).toBe("r/h0.com");
    const cancel = hosts.ask("more.com", () => undefined);
    expect(cancel).toBeTypeOf("function");
    expect(counters).toMatchObject({ hosts_asked: 4096, hosts_evicted: 1, rq_waiting: 1 });
    expect(find("h0.com")).toBeUndefined();
    expect(find("h1.com")).toBe("r/h1.com");
    expect([...hosts.askedNames].includes("r/h0.com")).toBe(false);
  });

  it("asks for nothing that cannot be a host", () => {
    const answers = ["", "a/b", "x".repeat(262)].map((name) => hosts.ask(name, () => undefined));
    expect(answers).toEqual(["answered", "answered", "answered"]);
    expect([...hosts.askedNames]).toEqual([]);
  });

  it("tells who waits of an answer, and those who waited too long", async () => {
    const answers: HostAnswer[] = [];
    const note = (answer: HostAnswer): void => void answers.push(answer);
    hosts.ask("A.com:80", note);
    const cancel = hosts.ask("a.com:80", note);
    if (typeof cancel === "function") cancel();
    hosts.ask("late.com", note);
    hosts.update([{ name: "r/x", aliases: ["r/a.com:80"], version: "", body: undefined }], []);
    expect(answers).toEqual(["answered"]);
    await clock.advance(15_000);
    expect(answers).toEqual(["answered", "late"]);
    expect(hosts.ask("a.com:80", note)).toBe("answered");
    expect(counters).toMatchObject({ rq_waiting: 0, rq_timeout: 1 });
  });

  it("asks again for what was refused or removed", () => {
    hosts.ask("own.com", () => undefined);
    const [refused] = hosts.update([host("r/own.com", "own.com")], []);
    expect(refused?.reason).toContain("Duplicate entry of domain own.com in route r");
    expect([...hosts.askedNames]).toEqual([]);
    hosts.ask("a.com", () => undefined);
    hosts.update([host("r/a.com", "a.com")], []);
    hosts.update([], ["r/a.com"]);
    expect(find("a.com")).toBeUndefined();
    expect([...hosts.askedNames]).toEqual([]);
  });

  it("keeps the last good form of one whose domain has gone to another", () => {
    hosts.update([host("r/a", "a.com"), host("r/b", "b.com")], []);
    expect(hosts.update([host("r/b", "a.com", "b.com"), host("r/c", "c.com")], [])).toHaveLength(1);
    expect([find("a.com"), find("b.com"), find("c.com")]).toEqual(["r/a", "r/b", "r/c"]);
    // A domain may move from one to the other at once.
    expect(hosts.update([host("r/a", "b.com"), host("r/b", "a.com")], [])).toEqual([]);
    expect([find("a.com"), find("b.com")]).toEqual(["r/b", "r/a"]);
  });

  it("refuses a table that has a domain of one of them, and keeps the old one", () => {
    hosts.update([host("r/a", "a.com")], []);
    const refused = hosts.prepareTable(table("a.com"));
    expect(refused).toMatchObject({ ok: false });
    const taken = hosts.prepareTable(table("new.com"));
    if (taken.ok) taken.value();
    expect([find("a.com"), find("new.com"), find("own.com")]).toEqual([
      "r/a",
      "new.com",
      undefined,
    ]);
  });

  it("lets everybody go on when its table asks for none any more", () => {
    const answers: HostAnswer[] = [];
    hosts.ask("a.com", (answer) => void answers.push(answer));
    hosts.close();
    expect(answers).toEqual(["answered"]);
    expect(counters).toMatchObject({ hosts_asked: 0, rq_waiting: 0 });
  });
});
