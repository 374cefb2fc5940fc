import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type {
  PolicyTargetReference,
  TelemetryAccessLogging,
  Telemetry as TelemetryObject,
  TelemetryTracing,
} from "../config/telemetry.ts";
import type { Labels } from "./labels.ts";

/** One Telemetry: which requests of some proxies are traced and logged. */
export interface Telemetry {
  readonly key: ObjectKey;
  readonly object: TelemetryObject;
  readonly namespace: string;
  /** Absent: for the whole namespace, or for the mesh when that is the root namespace. */
  readonly selector: Labels | undefined;
  /** What of the Gateway API it is for; none: see `selector`. */
  readonly targets: readonly PolicyTargetReference[];
  readonly tracing: readonly TelemetryTracing[];
  readonly accessLogging: readonly TelemetryAccessLogging[];
}

/** The policy of an object. */
export const buildTelemetry = memoise((object: TelemetryObject): Telemetry => {
  const { selector, targetRef, targetRefs, tracing, accessLogging } = object.spec ?? {};
  const labels = selector?.matchLabels ?? {};
  return {
    key: keyOf(object),
    object,
    namespace: object.metadata.namespace ?? "",
    // An empty selector is none.
    selector: Object.keys(labels).length === 0 ? undefined : labels,
    targets: targetRefs ?? (targetRef === undefined ? [] : [targetRef]),
    tracing: tracing ?? [],
    accessLogging: accessLogging ?? [],
  };
});

/** Which side of a proxy something is on: what goes out (and gateways), or what comes in. */
export type TelemetryMode = "CLIENT" | "SERVER";

/** Whether an entry is for a side; one that says nothing is for both. */
export function isForMode(
  match: { readonly mode?: "CLIENT_AND_SERVER" | TelemetryMode } | undefined,
  mode: TelemetryMode,
): boolean {
  const said = match?.mode ?? "CLIENT_AND_SERVER";
  return said === "CLIENT_AND_SERVER" || said === mode;
}

/** The names of the providers of an entry. */
export function providerNames(entry: TelemetryTracing | TelemetryAccessLogging): readonly string[] {
  return (entry.providers ?? []).map(({ name }) => name);
}

/** Whose proxy, and with which labels. */
export interface TelemetryTarget {
  readonly namespace: string;
  readonly labels: Labels;
}

/**
 * Those that concern a proxy, from the widest to the narrowest, as istiod puts them together: the
 * oldest for the mesh, the oldest for its namespace, then all of its namespace that select it, the
 * oldest first. `telemetries` come oldest first. The same value for the same ones.
 */
export function telemetriesFor(
  telemetries: readonly Telemetry[],
  target: TelemetryTarget,
  rootNamespace: string,
): readonly Telemetry[] {
  if (telemetries.length === 0) return NONE;
  const { namespace } = target;
  const wide = (of: string) => telemetries.find((one) => isWide(one) && one.namespace === of);
  const all = [
    wide(rootNamespace),
    namespace === rootNamespace ? undefined : wide(namespace),
    ...telemetries.filter(
      (one) => one.namespace === namespace && !isWide(one) && isSelected(one, target.labels),
    ),
  ].filter((one) => one !== undefined);
  const [first, ...rest] = all;
  return first === undefined ? NONE : listOf(first, ...rest);
}

const NONE: readonly Telemetry[] = [];

const listOf = memoise((...list: readonly [Telemetry, ...Telemetry[]]): readonly Telemetry[] => [
  ...list,
]);

/** Whether a policy is for all proxies of its namespace. */
export function isWide({ selector, targets }: Telemetry): boolean {
  return selector === undefined && targets.length === 0;
}

/** On the pods of gateways that somebody makes for a Gateway of the Gateway API. */
const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";

/** Whether a policy of the proxy's own namespace that is not for all of it is for the proxy. */
function isSelected({ selector, targets }: Telemetry, labels: Labels): boolean {
  if (targets.length === 0) return matchLabels(selector, labels);
  const gateway = labels[GATEWAY_NAME];
  return (
    gateway !== undefined &&
    targets.some(
      ({ group, kind, name }) =>
        group === "gateway.networking.k8s.io" && kind === "Gateway" && name === gateway,
    )
  );
}
