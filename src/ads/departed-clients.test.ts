import { describe, expect, it } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { layeredMap, type ResourceMap } from "../xds/resource-map.ts";
import type { XdsResource } from "../xds/snapshot.ts";
import { DepartedClients } from "./departed-clients.ts";
import type { HeldState } from "./publication.ts";
import { NOTHING_PUBLISHED } from "./publish-plan.ts";

function mapOf(size: number, version: string): ResourceMap {
  const body = new Uint8Array();
  const resource = (name: string): XdsResource => ({
    name,
    version,
    body,
    origins: [],
    references: [],
  });
  return new Map(Array.from({ length: size }, (_, index) => [`${index}`, resource(`${index}`)]));
}

function held(cluster: ResourceMap): HeldState {
  return {
    published: { ...NOTHING_PUBLISHED, cluster },
    kinds: ["cluster"],
    missingClusters: new Set(),
    heldRoutes: [],
  };
}

describe("DepartedClients", () => {
  it("gives back what a client had, once, and not when it is long ago", async () => {
    const clock = new SimClock();
    const departed = new DepartedClients(clock);
    const state = held(mapOf(1, "a"));
    departed.keep("a", state);
    departed.keep("b", state);
    expect(departed.take("a")).toMatchObject(state);
    expect(departed.take("a")).toBeUndefined();
    await clock.advance(11 * 60_000);
    expect(departed.take("b")).toBeUndefined();
  });

  it("forgets those of long ago when others go", async () => {
    const clock = new SimClock();
    const departed = new DepartedClients(clock);
    for (const name of ["a", "b"]) departed.keep(name, held(mapOf(1, name)));
    await clock.advance(11 * 60_000);
    departed.keep("c", held(mapOf(1, "c")));
    expect(departed.size).toBe(1);
  });

  it("keeps all who had the same, and of those who did not the last", () => {
    const departed = new DepartedClients(new SimClock());
    const shared = mapOf(10_000, "shared");
    for (let index = 0; index < 500; index++) {
      departed.keep(`same-${index}`, held(layeredMap(shared, mapOf(2, `own-${index}`))));
    }
    expect(departed.size).toBe(500);
    for (let index = 0; index < 50; index++) {
      departed.keep(`other-${index}`, held(mapOf(10_000, `version-${index}`)));
    }
    // Four times what the last one had.
    expect(departed.size).toBe(4);
    expect(departed.bytes).toBeGreaterThan(0);
    expect(departed.take("other-49")).toBeDefined();
    expect(departed.take("other-45")).toBeUndefined();
  });
});
