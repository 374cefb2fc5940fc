import type { ObjectKey } from "../config/object.ts";
import type { ConfigView } from "../store/store.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";

/** What a change is about, in istiod's words for the reasons of a push. */
type Trigger = "config" | "endpoint" | "namespace" | "service";

const TRIGGER_BY_KIND: Readonly<Record<string, Trigger>> = {
  EndpointSlice: "endpoint",
  Endpoints: "endpoint",
  Pod: "endpoint",
  WorkloadEntry: "endpoint",
  Service: "service",
  ServiceEntry: "service",
  Namespace: "namespace",
};

/** Counts what comes in, and for which reasons it goes out, as istiod does. */
export class ChangeMetrics {
  readonly #metrics: MetricRegistry;
  /** Reasons of the next push. */
  readonly #triggers = new Map<Trigger, number>();

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  /** Some objects are others now, or came, or went. */
  note(changed: readonly ObjectKey[], before: ConfigView, after: ConfigView): void {
    for (const key of changed) {
      const event =
        after.get(key) === undefined ? "delete" : before.get(key) === undefined ? "add" : "update";
      const isIstio = key.group.endsWith("istio.io");
      const name = isIstio ? "pilot_k8s_cfg_events" : "pilot_k8s_reg_events";
      this.#metrics.add(name, { type: key.kind, event });
      const trigger = TRIGGER_BY_KIND[key.kind] ?? "config";
      this.#metrics.add("pilot_inbound_updates", { type: updateType(trigger, event) });
      this.#triggers.set(trigger, (this.#triggers.get(trigger) ?? 0) + 1);
    }
  }

  /** What was noted since the last push goes out now. */
  notePush(): void {
    for (const [type, count] of this.#triggers) {
      this.#metrics.add("pilot_push_triggers", { type }, count);
    }
    this.#triggers.clear();
  }
}

function updateType(trigger: Trigger, event: "add" | "update" | "delete"): string {
  if (trigger === "endpoint") return "eds";
  if (trigger !== "service") return "config";
  return event === "delete" ? "svcdelete" : "svc";
}
