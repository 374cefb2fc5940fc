import type { Clock } from "../base/clock.ts";
import { VERSION } from "../base/version.ts";
import { KINDS } from "../config/kinds.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { setProcessMetrics } from "../telemetry/process-metrics.ts";
import type { DebugTarget } from "./debug-pages.ts";
import { meshProblems, PROBLEMS } from "./mesh-problems.ts";

/** What waits inside of the control plane at one moment. */
export interface PendingWork {
  readonly pushesPending: number;
  readonly isChangePending: boolean;
  readonly pagesPending: number;
}

/** Has the state of a control plane counted whenever somebody scrapes it. */
export function collectGauges(
  metrics: MetricRegistry,
  clock: Clock,
  target: Pick<DebugTarget, "view" | "mesh" | "proxies">,
  pending: () => PendingWork,
): void {
  const startMs = clock.monotonicMs();
  metrics.set("pilot_info", 1, { version: VERSION });
  metrics.set("istio_build", 1, { component: "pilot", tag: VERSION });
  metrics.onCollect(() => {
    metrics.set("istiod_uptime_seconds", (clock.monotonicMs() - startMs) / 1000);
    const { pushesPending, isChangePending, pagesPending } = pending();
    metrics.set("weft_push_pending", pushesPending);
    metrics.set("weft_changes_pending", isChangePending ? 1 : 0);
    metrics.set("weft_debug_pages_pending", pagesPending);
    setMeshGauges(metrics, target);
    setProcessMetrics(metrics, clock);
  });
}

function setMeshGauges(
  metrics: MetricRegistry,
  target: Pick<DebugTarget, "view" | "mesh" | "proxies">,
): void {
  const [mesh, view] = [target.mesh(), target.view()];
  metrics.set("pilot_services", mesh.registry.services.length);
  metrics.set("pilot_virt_services", mesh.virtualServices.length + mesh.delegates.length);
  const problems = meshProblems(mesh, view, [...target.proxies().values()]);
  for (const name of PROBLEMS) metrics.set(name, problems[name].size);
  const counts = KINDS.map(({ group, kind }) => [{ kind }, view.list(group, kind).length] as const);
  metrics.replace(
    "weft_objects",
    counts.filter(([, count]) => count > 0),
  );
}
