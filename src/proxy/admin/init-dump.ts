import type { PageRequest, Rendered } from "./page.ts";

/**
 * Listeners that wait for something before they serve, in the shape of Envoy's
 * `UnreadyTargetsDumps`; it names Envoy's own objects, this page the listeners.
 */
export function initDump({ state: { listeners }, query }: PageRequest): Rendered {
  const mask = query.get("mask") ?? "";
  if (mask !== "" && mask !== "listener") return { body: {} };
  const dumps = listeners.warming.map(({ config: { name }, awaits }) => ({
    name: `init manager Listener-local-init-manager ${name}`,
    target_names: awaits,
  }));
  return { body: dumps.length === 0 ? {} : { unready_targets_dumps: dumps } };
}
