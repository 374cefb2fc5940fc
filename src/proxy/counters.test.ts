import { expect, test } from "vitest";
import { CounterGroups } from "./counters.ts";
import { collectGarbage } from "./overload/collect-garbage.ts";

test("counters of a name go on over updates, and go when nobody counts any more", async () => {
  const groups = new CounterGroups();
  const names = (): string[] => [...groups.entries()].map(([name]) => name);
  groups.get("listener_manager", { listener_stopped: 0 }).listener_stopped++;
  const kept = groups.get("http.kept", { total: 0 });
  kept.total++;
  groups.histogram("http.gone.time").add(1);
  groups.histogram("cluster.a.time").add(1);
  (() => {
    groups.get("http.gone", { total: 0 }).total++;
    groups.get("http.kept", { total: 0, other: 2 }).total++;
  })();
  // What a turn has looked at lasts until its end.
  for (let turn = 0; turn < 20 && names().includes("http.gone.total"); turn++) {
    await new Promise(setImmediate);
    collectGarbage();
  }
  expect([...groups.histograms.keys()]).toEqual(["cluster.a.time"]);
  expect([...groups.entries()]).toEqual([
    ["listener_manager.listener_stopped", 1],
    ["http.kept.total", 2],
    ["http.kept.other", 2],
  ]);
  expect(kept).toEqual({ total: 2, other: 2 });
  expect(groups.get("http.gone", { total: 0 })).toEqual({ total: 0 });
});
