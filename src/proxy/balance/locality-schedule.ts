import { EdfSchedule } from "./edf.ts";
import type { LocalityHosts } from "./host-set.ts";

/**
 * Chooses localities of one priority by their configured weights; one that has lost more of its
 * hosts than the overprovisioning factor makes up for gets less (Envoy, "Locality weighted load
 * balancing"). `undefined` when none has a weight and hosts.
 */
export function localitySchedule(
  localities: readonly LocalityHosts[],
  kind: "healthy" | "degraded",
  overprovisioningPercent: number,
): (() => number) | undefined {
  const weights = localities.map((one) => effectiveWeight(one, kind, overprovisioningPercent));
  const eligible = [...weights.keys()].filter((at) => (weights[at] ?? 0) > 0);
  const [only] = eligible;
  if (only === undefined) return undefined;
  if (eligible.length === 1) return () => only;
  const schedule = new EdfSchedule(eligible.length, (at) => weights[eligible[at] ?? only] ?? 1);
  return () => eligible[schedule.pick()] ?? only;
}

function effectiveWeight(
  group: LocalityHosts,
  kind: "healthy" | "degraded",
  overprovisioningPercent: number,
): number {
  const counted = group.hosts.length - group.excluded.length;
  if (counted <= 0) return 0;
  const share = (group[kind].length / counted) * (overprovisioningPercent / 100);
  return group.locality.weight * Math.min(1, share);
}
