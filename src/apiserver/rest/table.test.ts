import { describe, expect, it } from "vitest";
import { podKind } from "../../config/pod.ts";
import { virtualServiceKind } from "../../config/virtual-service.ts";
import { formatDuration, toTable } from "./table.ts";

describe("formatDuration()", () => {
  it.each([
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [150, "2m30s"],
    [605, "10m"],
    [10_799, "179m"],
    [10_800, "3h"],
    [11_100, "3h5m"],
    [47 * 3600, "47h"],
    [49 * 3600, "2d1h"],
    [30 * 86_400, "30d"],
    [731 * 86_400, "2y1d"],
    [-60, "<invalid>"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(formatDuration(seconds * 1000)).toBe(text);
  });
});

describe("toTable()", () => {
  const options = { nowMs: Date.UTC(2026, 10, 21), includeObject: "None" } as const;
  const metadata = { name: "a", creationTimestamp: "2026-11-20T23:59:00Z" };
  const pod = (more: object): readonly unknown[] => {
    const spec = { containers: [{ name: "a" }, { name: "b" }] };
    const object = { apiVersion: "v1", kind: "Pod", metadata, spec, ...more };
    const { rows } = toTable([object], { ...options, kind: podKind }) as {
      rows: { cells: unknown[] }[];
    };
    return rows[0]?.cells.slice(0, 5) ?? [];
  };
  const status = (name: string, state: object, ready = false): object => ({
    name,
    state,
    ready,
    restartCount: 1,
  });

  it.each<[object, readonly unknown[]]>([
    [{}, ["a", "0/2", "Pending", 0, "60s"]],
    [
      {
        status: {
          phase: "Running",
          containerStatuses: [
            status("a", { running: {} }, true),
            status("b", { waiting: { reason: "CrashLoopBackOff" } }),
          ],
        },
      },
      ["a", "1/2", "CrashLoopBackOff", 2, "60s"],
    ],
    [
      {
        status: {
          phase: "Pending",
          initContainerStatuses: [status("i", { running: {} })],
        },
      },
      ["a", "0/2", "Init:0/1", 0, "60s"],
    ],
    [
      {
        status: {
          phase: "Failed",
          containerStatuses: [status("a", { terminated: { exitCode: 3 } })],
        },
      },
      ["a", "0/2", "ExitCode:3", 1, "60s"],
    ],
    [
      { metadata: { ...metadata, deletionTimestamp: "2026-11-21T00:00:00Z" } },
      ["a", "0/2", "Terminating", 0, "60s"],
    ],
  ])("of pod %j is %j", (object, cells) => {
    expect(pod(object)).toEqual(cells);
  });

  it("writes lists as JSON and leaves out what is not there", () => {
    const object = {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata,
      spec: { hosts: ["a", "b"] },
    };
    expect(toTable([object], { ...options, kind: virtualServiceKind })).toMatchObject({
      rows: [{ cells: ["a", null, '["a","b"]', "60s"] }],
    });
  });
});
