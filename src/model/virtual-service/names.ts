import type { Destination } from "../../config/destination.ts";
import type { HttpMatch } from "../../config/http-route.ts";
import type { L4Match } from "../../config/l4-route.ts";
import { resolveHost } from "../host.ts";
import { type RuleDestination, resolveGateway, type SourceMatch } from "../virtual-service.ts";

/** For whom a `match` entry of an object of `namespace` is. */
export function sourceOf(
  { gateways = [], port, sourceLabels = {}, sourceNamespace }: HttpMatch | L4Match,
  namespace: string,
): SourceMatch {
  return {
    gateways:
      gateways.length === 0 ? undefined : gateways.map((name) => resolveGateway(name, namespace)),
    port: port === 0 ? undefined : port,
    sourceLabels,
    sourceNamespace: sourceNamespace === "" ? undefined : sourceNamespace,
  };
}

/** What a destination of an object of `namespace` names. */
export function targetOf(
  { host, subset, port }: Destination,
  namespace: string,
): Pick<RuleDestination, "host" | "subset" | "port"> {
  const number = port?.number;
  return {
    host: resolveHost(host, namespace),
    subset: subset ?? "",
    port: number === 0 ? undefined : number,
  };
}

/** The sum of weights that a proxy can take. */
const WEIGHT_SUM_MAX = 4_294_967_295;

/** What is wrong with the weights of a rule for a proxy, or `undefined`. */
export function weightProblem(weights: readonly number[]): string | undefined {
  if (weights.length === 0) return "there is no destination: the rule is left out";
  if (weights.length === 1) return undefined;
  const sum = weights.reduce((total, weight) => total + Math.max(0, weight), 0);
  if (sum === 0) return "no destination has a weight above 0: the rule is left out";
  if (sum <= WEIGHT_SUM_MAX) return undefined;
  return `the sum of the weights must be at most ${WEIGHT_SUM_MAX}: the rule is left out`;
}

/** One destination gets everything, whatever its weight; of several, weight 0 gets nothing. */
export function withWeight<T extends { readonly weight: number }>(all: readonly T[]): readonly T[] {
  return all.length === 1 ? all : all.filter(({ weight }) => weight > 0);
}
