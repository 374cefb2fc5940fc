import type { Host } from "../cluster/host.ts";
import type { ResponseHead } from "../http/message-head.ts";

/** The header by which a host says that it should get no more; its value means nothing. */
export const IMMEDIATE_FAIL = "x-envoy-immediate-health-check-fail";

/** A response may say that its host should get no more: that counts where the host is checked. */
export function heedImmediateFail(host: Host | undefined, { headers }: ResponseHead): void {
  const check = host?.activeCheck;
  if (check !== undefined && headers.has(IMMEDIATE_FAIL)) check.failNow();
}
