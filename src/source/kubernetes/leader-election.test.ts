import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPrng } from "../../base/prng.ts";
import { SimClock } from "../../base/sim-clock.ts";
import { silentLogger } from "../../telemetry/log.ts";
import type { ApiRequest } from "./api-client.ts";
import { ApiStatusError } from "./api-error.ts";
import { LeaderElection } from "./leader-election.ts";
import { Troubles } from "./troubles.ts";

interface Lease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** One lease, kept as an API server keeps it; some may not reach it for a while. */
class LeaseServer {
  readonly unreachableBy = new Set<string>();
  lease: Lease | undefined;
  #version = 0;

  async answer(from: string, { method = "GET", body }: ApiRequest): Promise<unknown> {
    if (this.unreachableBy.has(from)) throw new Error("cannot reach the API server");
    if (method === "GET") {
      if (this.lease === undefined) throw new ApiStatusError(404, "NotFound", "not found");
      return this.lease;
    }
    const { metadata, spec } = body as Lease;
    if (metadata.resourceVersion !== this.lease?.metadata.resourceVersion) {
      throw new ApiStatusError(409, "Conflict", "somebody was quicker");
    }
    this.#version += 1;
    this.lease = { metadata: { resourceVersion: String(this.#version) }, spec };
    return this.lease;
  }
}

class Candidate {
  readonly election: LeaderElection;
  readonly changes: boolean[] = [];
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  constructor(server: LeaseServer, clock: SimClock, identity: string, seed: number) {
    this.election = new LeaderElection({
      client: { request: (request) => server.answer(identity, request) },
      namespace: "istio-system",
      name: "leader",
      identity,
      clock,
      prng: createPrng(seed),
      troubles: new Troubles(silentLogger),
      onChange: (isLeader) => this.changes.push(isLeader),
    });
    this.#ended = this.election.run(this.#controller.signal);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }
}

describe("LeaderElection", () => {
  let clock: SimClock;
  let server: LeaseServer;
  let candidates: Candidate[];

  beforeEach(async () => {
    clock = new SimClock(1_700_000_000_000);
    server = new LeaseServer();
    candidates = ["a", "b", "c"].map((name, seed) => new Candidate(server, clock, name, seed));
    await clock.advance(100);
  });

  afterEach(async () => {
    for (const candidate of candidates) await candidate.stop();
  });

  const leaders = (): string[] =>
    ["a", "b", "c"].filter((_name, index) => candidates[index]?.election.isLeader);

  test("one leads, and goes on", async () => {
    const [first] = leaders();
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      expect(leaders()).toEqual([first]);
    }
    expect(server.lease?.spec).toMatchObject({
      holderIdentity: first,
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      acquireTime: "2023-11-14T22:13:20.000000Z",
    });
  });

  test("another takes over within the lease when the leader is cut off, never two at once", async () => {
    const [first = ""] = leaders();
    await clock.advance(30_000);
    server.unreachableBy.add(first);
    let withoutMs = 0;
    while (leaders().length === 0 || leaders()[0] === first) {
      await clock.advance(100);
      withoutMs += 100;
      expect(leaders().length).toBeLessThanOrEqual(1);
      expect(withoutMs).toBeLessThan(20_000);
    }
    expect(withoutMs).toBeGreaterThan(10_000);
    expect(server.lease?.spec["leaseTransitions"]).toBe(1);
    const [second] = leaders();
    server.unreachableBy.clear();
    await clock.advance(60_000);
    expect(leaders()).toEqual([second]);
    expect(candidates[["a", "b", "c"].indexOf(first)]?.changes).toEqual([true, false]);
  });

  test("a leader that ends gives the lease back", async () => {
    const [first = ""] = leaders();
    await candidates[["a", "b", "c"].indexOf(first)]?.stop();
    await clock.advance(3000);
    expect(leaders()).toHaveLength(1);
    expect(leaders()).not.toContain(first);
    for (const candidate of candidates) await candidate.stop();
    expect(clock.timersPending).toBe(0);
  });

  test("whose clock is wrong does not matter", async () => {
    const [first = ""] = leaders();
    const { metadata, spec } = server.lease ?? { metadata: { resourceVersion: "" }, spec: {} };
    server.lease = { metadata, spec: { ...spec, renewTime: "1999-01-01T00:00:00.000000Z" } };
    await clock.advance(10_000);
    expect(leaders()).toEqual([first]);
  });
});
