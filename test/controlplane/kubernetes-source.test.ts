/** What an API server may do to those who follow it; `test/kubernetes` asks a real one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPrng } from "../../src/base/prng.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import { type KubernetesKind, KubernetesSource } from "../../src/source/kubernetes-source.ts";
import type { ConfigBatch } from "../../src/source/source.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { fail, list, ScriptedApi, service } from "./scripted-api.ts";
import { until } from "./until.ts";

const SERVICES: KubernetesKind = { group: "", kind: "Service" };
const RULES: KubernetesKind = { group: "networking.istio.io", kind: "DestinationRule" };

let api: ScriptedApi;
let clock: SimClock;
let said: string[];
let batches: ConfigBatch[];
let folder: string;
let controller: AbortController;
let ended: Promise<void> | undefined;

beforeEach(async () => {
  api = new ScriptedApi();
  await api.start();
  clock = new SimClock();
  said = [];
  folder = mkdtempSync(join(tmpdir(), "weft-scripted-"));
});

afterEach(async () => {
  await stop();
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(kinds: readonly KubernetesKind[] = [SERVICES]): void {
  batches = [];
  controller = new AbortController();
  const level = () => "warn" as const;
  const write = (line: string): void => void said.push(line.split("\t").slice(3).join(" "));
  const source = new KubernetesSource({
    access: api.access,
    kinds,
    clock,
    prng: createPrng(1),
    log: createLogger({ clock, write, level }),
    metrics: new MetricRegistry(),
    identity: "test",
    leaseNamespace: "istio-system",
    lastGoodFile: join(folder, "last-good.json"),
  });
  ended = source.run((batch) => batches.push(batch), controller.signal);
}

async function stop(): Promise<void> {
  controller.abort();
  await ended;
  ended = undefined;
}

function ports(): Record<string, number> {
  const found: Record<string, number> = {};
  for (const event of batches.flatMap(({ events }) => events)) {
    if (event.type === "delete") delete found[event.key.name];
    else {
      const { spec } = event.object as unknown as { spec: { ports?: { port: number }[] } };
      found[event.object.metadata.name] = spec.ports?.[0]?.port ?? 0;
    }
  }
  return found;
}

/** Lets time pass, a little at a time, until it is so. */
const passUntil = (isSo: () => boolean, what: string): Promise<boolean> =>
  until(async () => {
    await clock.advance(50);
    return isSo();
  }, what);

const has = (wanted: Record<string, number>): Promise<boolean> =>
  passUntil(() => {
    const found = ports();
    return isDeepStrictEqual(found, wanted);
  }, JSON.stringify(wanted));

const lists = (): string[] => api.asked.filter((line) => !line.includes("watch="));
const watches = (): string[] => api.asked.filter((line) => line.includes("watch="));

describe("KubernetesSource", () => {
  test("lists in pages, then watches from the first page's version", async () => {
    api.answer = ({ query, response }) => {
      if (query.get("watch") === "true") return response.flushHeaders();
      if (query.get("continue") === "2") return list(response, [service("b", 2)], "10");
      list(response, [service("a", 1)], "10", "2");
    };
    start();
    await has({ a: 1, b: 2 });
    expect(batches).toHaveLength(1);
    await passUntil(() => api.watches.size === 1, "the watch");
    expect(lists()).toEqual([
      "GET /api/v1/services?limit=500",
      "GET /api/v1/services?limit=500&continue=2",
    ]);
    expect(watches()[0]).toContain("allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=");
  });

  test("a watch that ends goes on from the last version, a bookmark's too", async () => {
    api.answer = ({ query, response }) => {
      if (query.get("watch") === "true") response.flushHeaders();
      else list(response, [], "10");
    };
    start();
    await passUntil(() => api.watches.size === 1, "the watch");
    api.send("ADDED", service("a", 1, "11"));
    await has({ a: 1 });
    api.endWatches();
    await passUntil(() => watches().length === 2, "the next watch");
    expect(watches()[1]).toContain("resourceVersion=11&");
    api.send("BOOKMARK", { metadata: { resourceVersion: "20" } });
    api.send("MODIFIED", service("a", 2, "21"));
    await has({ a: 2 });
    api.send("BOOKMARK", { metadata: { resourceVersion: "30" } });
    await passUntil(() => api.watches.size === 1, "the watch");
    for (const watch of api.watches) watch.destroy();
    await passUntil(() => watches().length === 3, "the watch after that");
    expect(watches()[2]).toMatch(/resourceVersion=(21|30)&/);
    expect(lists()).toHaveLength(1);
  });

  test("a version that is too old makes it list again, with what is gone by now", async () => {
    let items = [service("a", 1), service("b", 2)];
    let version = 10;
    api.answer = ({ query, response }) => {
      if (query.get("watch") !== "true") return list(response, items, String(version));
      if (Number(query.get("resourceVersion")) < version) return fail(response, 410, "too old");
      response.flushHeaders();
    };
    start();
    await has({ a: 1, b: 2 });
    items = [service("b", 3), service("c", 4)];
    version = 20;
    await passUntil(() => api.watches.size === 1, "the watch");
    api.endWatches();
    await has({ b: 3, c: 4 });
    items = [];
    // As the watch's own event, too.
    api.send("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
    await has({});
    expect(said).toEqual([]);
  });

  test("a watch without a word is begun anew", async () => {
    api.answer = ({ query, response }) => {
      if (query.get("watch") === "true") response.flushHeaders();
      else list(response, [service("a", 1)], "10");
    };
    start();
    await passUntil(() => watches().length === 1 && api.watches.size === 1, "the watch");
    await clock.advance(200_000);
    await passUntil(() => watches().length >= 2, "the next watch");
    expect(lists()).toHaveLength(1);
    expect(ports()).toEqual({ a: 1 });
  });

  test("older versions of a kind are tried, and one that is not there at all is awaited", async () => {
    let served: string | undefined;
    api.answer = ({ path, query, response }) => {
      if (path.startsWith("/api/v1/") || path === served) {
        if (query.get("watch") === "true") return response.flushHeaders();
        const rule = { metadata: { name: "r", namespace: "ns" }, spec: { host: "a" } };
        return list(response, path === served ? [rule] : [], "10");
      }
      fail(response, 404, "the server could not find the requested resource");
    };
    start([SERVICES, RULES]);
    await passUntil(() => batches.length === 1, "the first batch");
    expect(said).toEqual([
      "destinationrules.networking.istio.io is not installed: its objects are followed once it is",
    ]);
    served = "/apis/networking.istio.io/v1beta1/destinationrules";
    await passUntil(() => "r" in ports(), "the rule");
    const [event] = batches.at(-1)?.events ?? [];
    expect(event?.type === "set" && event.object.apiVersion).toBe("networking.istio.io/v1beta1");
    expect(said[1]).toMatch(/^over: destinationrules/);
    // A kind that goes takes its objects along, though not at its first word.
    served = undefined;
    api.endWatches();
    await passUntil(() => lists().length > 8, "it to look");
    await passUntil(() => !("r" in ports()), "the rule to go");
  });

  test("what an account may not read is said with the rule, and nothing is served meanwhile", async () => {
    let mayRead = false;
    api.answer = ({ query, response }) => {
      if (!mayRead) return fail(response, 403, 'services is forbidden: User "x" cannot list');
      if (query.get("watch") === "true") return response.flushHeaders();
      list(response, [service("a", 1)], "10");
    };
    start();
    await passUntil(() => said.length > 0, "the message");
    expect(said).toEqual([
      'may not list and watch services in all namespaces: give the account a ClusterRole with apiGroups [""], resources ["services"], verbs ["list", "watch"] (services is forbidden: User "x" cannot list)',
    ]);
    await clock.advance(20_000);
    expect(batches).toEqual([]);
    mayRead = true;
    await has({ a: 1 });
  });

  test("a bad object is refused by its name, the others and its last good version stay", async () => {
    api.answer = ({ query, response }) => {
      if (query.get("watch") === "true") response.flushHeaders();
      else list(response, [service("a", 1), service("b", 2)], "10");
    };
    start();
    await has({ a: 1, b: 2 });
    await passUntil(() => api.watches.size === 1, "the watch");
    api.send("MODIFIED", service("a", 70_000, "11"));
    api.send("MODIFIED", service("b", 3, "12"));
    await has({ a: 1, b: 3 });
    expect(batches.at(-1)?.refused).toEqual([
      expect.objectContaining({
        object: "Service/ns/a",
        key: { group: "", kind: "Service", namespace: "ns", name: "a" },
        issue: expect.objectContaining({ path: "spec.ports[0].port" }),
      }),
    ]);
    api.send("MODIFIED", service("a", 4, "13"));
    await has({ a: 4, b: 3 });
    expect(batches.at(-1)?.refused).toEqual([]);
  });

  test("what an earlier run kept is served when the server is away, for as long as it is", async () => {
    let isAway = false;
    api.answer = ({ query, response }) => {
      if (isAway) return void response.destroy();
      if (query.get("watch") === "true") return response.flushHeaders();
      list(response, [service("b", 2)], "10");
    };
    api.answer = (
      (answer) => (request) =>
        answer(request)
    )(api.answer);
    start();
    await has({ b: 2 });
    await stop();
    isAway = true;
    start();
    await passUntil(() => said.some((line) => line.startsWith("cannot reach")), "the failure");
    expect(batches).toEqual([]);
    await has({ b: 2 });
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(5_000);
    expect(said.some((line) => line.includes("serving what was last good"))).toBe(true);
    await clock.advance(60_000);
    expect(batches).toHaveLength(1);
    isAway = false;
    await passUntil(() => said.at(-1)?.startsWith("over: cannot reach") === true, "the end");
    expect(ports()).toEqual({ b: 2 });
  });
});
