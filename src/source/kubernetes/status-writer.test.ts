import { beforeEach, describe, expect, test } from "vitest";
import { SimClock } from "../../base/sim-clock.ts";
import { findKind } from "../../config/kinds.ts";
import { silentLogger } from "../../telemetry/log.ts";
import { MetricRegistry } from "../../telemetry/metrics.ts";
import type { StatusChange } from "../source.ts";
import type { ApiRequest } from "./api-client.ts";
import { ApiStatusError } from "./api-error.ts";
import { KindState } from "./kind-state.ts";
import { StatusWriter } from "./status-writer.ts";

const GROUP = "networking.istio.io";
const KEY = { group: GROUP, kind: "DestinationRule", namespace: "ns", name: "r" };
const PATH = `/apis/${GROUP}/v1/namespaces/ns/destinationrules/r`;
const FOREIGN = { type: "Other", status: "True", lastTransitionTime: "2020-01-01T00:00:00Z" };
const { signal } = new AbortController();

function change(message: string, status: "True" | "False" = "True", more = {}): StatusChange {
  const condition = { type: "Distributed", status, reason: "Test", message };
  return { key: KEY, conditions: [condition], validationMessages: [], ...more };
}

describe("StatusWriter", () => {
  let clock: SimClock;
  let metrics: MetricRegistry;
  let state: KindState;
  let stored: Record<string, unknown>;
  let asked: ApiRequest[];
  let isLeader: boolean;
  /** What happens on the server just before a request is answered. */
  let meanwhile: (() => void)[];
  let writer: StatusWriter;

  beforeEach(() => {
    const kind = findKind(GROUP, "DestinationRule");
    if (kind === undefined) throw new Error("no kind");
    clock = new SimClock(Date.parse("2030-01-02T03:04:05.678Z"));
    metrics = new MetricRegistry();
    state = new KindState(kind, () => undefined);
    [asked, meanwhile, isLeader] = [[], [], true];
    stored = object("1", { conditions: [FOREIGN], note: "kept" });
    state.put(stored, "v1");
    writer = new StatusWriter({
      client: { request: async (request) => answer(request) },
      clock,
      log: silentLogger,
      metrics,
      isLeader: () => isLeader,
      find: ({ namespace, name }) => {
        const found = state.status(namespace, name);
        const replace = (raw: unknown): void => state.noteStatus(raw);
        return found && { kind, version: "v1", stored: found, replace };
      },
    });
  });

  function object(resourceVersion: string, status: object): Record<string, unknown> {
    const metadata = { name: "r", namespace: "ns", resourceVersion, generation: 3 };
    return { metadata, spec: { host: "a" }, status };
  }

  function answer(request: ApiRequest): unknown {
    asked.push(request);
    meanwhile.shift()?.();
    const { method = "GET", body } = request;
    if (method === "GET") return stored;
    const { metadata, status } = body as { metadata: { resourceVersion: string }; status: object };
    const { resourceVersion } = stored["metadata"] as { resourceVersion: string };
    if (metadata.resourceVersion !== resourceVersion) throw new ApiStatusError(409, "", "conflict");
    stored = object(String(Number(resourceVersion) + 1), status);
    return stored;
  }

  const conditions = (): unknown => (stored["status"] as { conditions: unknown }).conditions;
  const methods = (): string[] => asked.map(({ method = "GET", path }) => `${method} ${path}`);
  const counted = (result: string): number =>
    metrics.value("weft_kubernetes_status_writes", { result });

  test("writes what differs, keeps what others wrote, and moves times with the status alone", async () => {
    await writer.write(change("1/2", "False", { observedGeneration: 3 }), signal);
    const time = "2030-01-02T03:04:05Z";
    const first = {
      type: "Distributed",
      status: "False",
      reason: "Test",
      message: "1/2",
      lastTransitionTime: time,
      observedGeneration: 3,
    };
    expect(conditions()).toEqual([FOREIGN, first]);
    expect(stored["status"]).toMatchObject({ note: "kept", observedGeneration: 3 });
    expect(methods()).toEqual([`PATCH ${PATH}/status`]);
    expect(asked[0]?.contentType).toBe("application/merge-patch+json");

    await clock.advance(5000);
    await writer.write(change("0/2", "False", { observedGeneration: 3 }), signal);
    expect(conditions()).toEqual([FOREIGN, { ...first, message: "0/2" }]);
    await writer.write(change("0/2", "False", { observedGeneration: 3 }), signal);
    expect(asked).toHaveLength(2);
    await writer.write(change("2/2", "True", { observedGeneration: 3 }), signal);
    expect(conditions()).toMatchObject([FOREIGN, { lastTransitionTime: "2030-01-02T03:04:10Z" }]);
  });

  test("leaves a version alone that is no more", async () => {
    await writer.write(change("old", "True", { observedGeneration: 2 }), signal);
    expect(asked).toEqual([]);
  });

  test("looks once more after a conflict, and lets a second one be", async () => {
    const touch = (): void => void (stored = object("7", { conditions: [] }));
    meanwhile = [touch];
    await writer.write(change("1/1"), signal);
    expect(methods()).toEqual([`PATCH ${PATH}/status`, `GET ${PATH}`, `PATCH ${PATH}/status`]);
    expect(conditions()).toMatchObject([{ message: "1/1" }]);
    const touchAgain = (): void => void (stored = object("9", { conditions: [] }));
    const touchTwice = (): void => void (stored = object("11", { conditions: [] }));
    meanwhile = [touchAgain, () => undefined, touchTwice];
    await writer.write(change("2/2"), signal);
    expect(conditions()).toEqual([]);
    expect([counted("written"), counted("conflict")]).toEqual([1, 3]);
  });

  test("an object that is gone is no failure, a refusal names the rule", async () => {
    const refuse = (code: number) => () => {
      throw new ApiStatusError(code, "", "said");
    };
    meanwhile = [refuse(404)];
    await writer.write(change("a"), signal);
    meanwhile = [refuse(403)];
    await expect(writer.write(change("a"), signal)).rejects.toThrow(
      'may not patch destinationrules.networking.istio.io/status: give the account a ClusterRole with apiGroups ["networking.istio.io"], resources ["destinationrules/status"], verbs ["patch"] (said)',
    );
    expect([counted("gone"), counted("failed")]).toEqual([1, 1]);
    state.remove(stored);
    await writer.write(change("b"), signal);
    expect(asked).toHaveLength(2);
  });

  test("keeps the last word of each object until this one leads", async () => {
    isLeader = false;
    await writer.write(change("first"), signal);
    await writer.write(change("last"), signal);
    expect(asked).toEqual([]);
    isLeader = true;
    await writer.writeAll(signal);
    expect(conditions()).toMatchObject([FOREIGN, { message: "last" }]);
    expect(asked).toHaveLength(1);
    writer.forget(KEY);
    await writer.writeAll(signal);
    expect(asked).toHaveLength(1);
  });

  test("waits for the limit, and counts that", async () => {
    let done = 0;
    for (let index = 0; index < 52; index++) {
      void writer.write(change(`write ${index}`), signal).then(() => (done += 1));
    }
    await clock.advance(0);
    expect(done).toBe(50);
    await clock.advance(100);
    expect(done).toBe(52);
    expect(metrics.value("weft_kubernetes_status_throttled")).toBe(2);
  });
});
