import { describe, expect, it } from "vitest";
import { type KubeObject, keyOf } from "../config/object.ts";
import { viewOf } from "../store/config-store.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import { ChangeMetrics } from "./change-metrics.ts";

const object = (apiVersion: string, kind: string, name: string): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: "default" },
});

describe("ChangeMetrics", () => {
  it("counts events by kind, and the reasons of a push once each push", () => {
    const metrics = new MetricRegistry();
    const changes = new ChangeMetrics(metrics);
    const rule = object("networking.istio.io/v1", "VirtualService", "a");
    const service = object("v1", "Service", "a");
    const slice = object("discovery.k8s.io/v1", "EndpointSlice", "a");
    const before = viewOf([rule, service]);
    const after = viewOf([{ ...rule, metadata: { ...rule.metadata, labels: {} } }, slice]);
    changes.note([keyOf(rule), keyOf(service), keyOf(slice)], before, after);
    const count = (
      name: Parameters<typeof metrics.value>[0],
      type: string,
      event?: string,
    ): number => metrics.value(name, { type, ...(event !== undefined && { event }) });
    expect(count("pilot_k8s_cfg_events", "VirtualService", "update")).toBe(1);
    expect(count("pilot_k8s_reg_events", "Service", "delete")).toBe(1);
    expect(count("pilot_k8s_reg_events", "EndpointSlice", "add")).toBe(1);
    expect(
      ["config", "svcdelete", "eds", "svc"].map((type) => count("pilot_inbound_updates", type)),
    ).toEqual([1, 1, 1, 0]);
    const pushes = (): number[] =>
      ["config", "service", "endpoint"].map((type) => count("pilot_push_triggers", type));
    expect(pushes()).toEqual([0, 0, 0]);
    changes.notePush();
    changes.notePush();
    expect(pushes()).toEqual([1, 1, 1]);
  });
});
