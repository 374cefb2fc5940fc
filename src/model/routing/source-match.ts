import { matchLabels } from "../../config/label-selector.ts";
import type { SourceMatch } from "../virtual-service.ts";
import type { RouteContext } from "./route-context.ts";

/**
 * Whether a `match` entry counts for a proxy on a port of `mesh` or of a gateway. One that names
 * gateways is for them whoever the client is; else its labels and its namespace decide.
 */
export function isForSource(
  { gateways, port, sourceLabels, sourceNamespace }: SourceMatch,
  { gateway, listenPort, proxy }: Pick<RouteContext, "gateway" | "listenPort" | "proxy">,
): boolean {
  if (port !== undefined && port !== listenPort) return false;
  if (gateways !== undefined) return gateways.includes(gateway);
  if (sourceNamespace !== undefined && sourceNamespace !== proxy.namespace) return false;
  return matchLabels(sourceLabels, proxy.labels);
}
