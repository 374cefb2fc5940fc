import type { EdsHealth } from "./cluster-config.ts";

/** Why a host is not simply healthy: bits of `Host.healthFlags`, by Envoy's names. */
export const HEALTH_FLAG = {
  failedActiveHc: 0x1,
  failedOutlierCheck: 0x2,
  failedEdsHealth: 0x4,
  degradedActiveHc: 0x8,
  degradedEdsHealth: 0x10,
  /** Discovery dropped it, and its health checks still succeed. */
  pendingDynamicRemoval: 0x20,
  /** Never checked yet. */
  pendingActiveHc: 0x40,
  excludedViaImmediateHcFail: 0x80,
  activeHcTimeout: 0x100,
  edsStatusDraining: 0x200,
  degradedOutlierDetection: 0x400,
} as const;
export type HealthFlag = (typeof HEALTH_FLAG)[keyof typeof HEALTH_FLAG];

/** The flags as `/clusters` prints them, in order. */
const NAMES: readonly (readonly [flag: HealthFlag, name: string])[] = [
  [HEALTH_FLAG.failedActiveHc, "/failed_active_hc"],
  [HEALTH_FLAG.failedOutlierCheck, "/failed_outlier_check"],
  [HEALTH_FLAG.failedEdsHealth, "/failed_eds_health"],
  [HEALTH_FLAG.degradedActiveHc, "/degraded_active_hc"],
  [HEALTH_FLAG.degradedEdsHealth, "/degraded_eds_health"],
  [HEALTH_FLAG.pendingDynamicRemoval, "/pending_dynamic_removal"],
  [HEALTH_FLAG.pendingActiveHc, "/pending_active_hc"],
  [HEALTH_FLAG.excludedViaImmediateHcFail, "/excluded_via_immediate_hc_fail"],
  [HEALTH_FLAG.activeHcTimeout, "/active_hc_timeout"],
  [HEALTH_FLAG.edsStatusDraining, "/eds_status_draining"],
  [HEALTH_FLAG.degradedOutlierDetection, "/degraded_outlier_detection"],
];

const UNHEALTHY =
  HEALTH_FLAG.failedActiveHc |
  HEALTH_FLAG.failedOutlierCheck |
  HEALTH_FLAG.failedEdsHealth |
  HEALTH_FLAG.edsStatusDraining;
const DEGRADED =
  HEALTH_FLAG.degradedActiveHc |
  HEALTH_FLAG.degradedEdsHealth |
  HEALTH_FLAG.degradedOutlierDetection;
const EXCLUDED =
  HEALTH_FLAG.pendingActiveHc |
  HEALTH_FLAG.excludedViaImmediateHcFail |
  HEALTH_FLAG.edsStatusDraining;
const FROM_EDS =
  HEALTH_FLAG.failedEdsHealth | HEALTH_FLAG.degradedEdsHealth | HEALTH_FLAG.edsStatusDraining;

/** What a host is good for, taken together. */
export const HEALTH = {
  unhealthy: 0,
  /** Used when there are not enough others. */
  degraded: 1,
  healthy: 2,
} as const;
export type Health = (typeof HEALTH)[keyof typeof HEALTH];

export function healthOf(flags: number): Health {
  if ((flags & UNHEALTHY) !== 0) return HEALTH.unhealthy;
  return (flags & DEGRADED) === 0 ? HEALTH.healthy : HEALTH.degraded;
}

/** Whether a host is left out where it is asked how many of all are healthy. */
export function isExcluded(flags: number): boolean {
  return (flags & EXCLUDED) !== 0;
}

/** What checks and discovery say together, in discovery's words; checks have the first. */
export function statusOf(flags: number, said: EdsHealth): EdsHealth {
  if ((flags & FAILED_CHECKS) !== 0) return "UNHEALTHY";
  if (healthOf(flags) === HEALTH.degraded) return "DEGRADED";
  return said;
}

const FAILED_CHECKS = HEALTH_FLAG.failedActiveHc | HEALTH_FLAG.failedOutlierCheck;

/** The flags with what discovery says now in place of what it said before. */
export function withEdsHealth(flags: number, health: EdsHealth): number {
  return (flags & ~FROM_EDS) | EDS_FLAGS[health];
}

const EDS_FLAGS: Readonly<Record<EdsHealth, number>> = {
  UNKNOWN: 0,
  HEALTHY: 0,
  UNHEALTHY: HEALTH_FLAG.failedEdsHealth,
  TIMEOUT: HEALTH_FLAG.failedEdsHealth,
  DRAINING: HEALTH_FLAG.edsStatusDraining,
  DEGRADED: HEALTH_FLAG.degradedEdsHealth,
};

/** The flags as Envoy's `/clusters` prints them. */
export function healthFlagsText(flags: number): string {
  if (flags === 0) return "healthy";
  return NAMES.map(([flag, name]) => ((flags & flag) === 0 ? "" : name)).join("");
}
