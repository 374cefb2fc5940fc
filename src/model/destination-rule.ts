import { memoise } from "../base/memo.ts";
import type { DestinationRule as DestinationRuleObject } from "../config/destination-rule.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import { narrowest, resolveHost } from "./host.ts";
import type { Labels } from "./labels.ts";
import type { Origin } from "./origin.ts";
import type { Service } from "./service.ts";
import { resolvePolicy, type TrafficPolicy } from "./traffic-policy.ts";

/** The namespace whose DestinationRules apply where no nearer one does. */
export const ROOT_NAMESPACE = "istio-system";

/** One DestinationRule, its host in full. */
export interface DestinationRule {
  readonly key: ObjectKey;
  readonly object: DestinationRuleObject;
  readonly namespace: string;
  readonly host: string;
}

/** A part of a service's endpoints. */
export interface Subset {
  readonly name: string;
  readonly labels: Labels;
  readonly policy: TrafficPolicy;
  readonly origin: Origin;
}

/** What the DestinationRules of one namespace say about one host. */
export interface MergedRule {
  readonly host: string;
  /** The oldest first. */
  readonly rules: readonly DestinationRule[];
  readonly policy: TrafficPolicy;
  readonly subsets: readonly Subset[];
}

/** The rule of an object. */
export const buildDestinationRule = memoise((object: DestinationRuleObject): DestinationRule => {
  const namespace = object.metadata.namespace ?? "";
  return {
    key: keyOf(object),
    object,
    namespace,
    host: resolveHost(object.spec.host, namespace),
  };
});

/** Rules by namespace, then by host. */
export type RuleIndex = ReadonlyMap<string, ReadonlyMap<string, readonly DestinationRule[]>>;

/** Groups rules, keeping their order; they come oldest first. */
export function indexRules(rules: readonly DestinationRule[]): RuleIndex {
  const index = new Map<string, Map<string, DestinationRule[]>>();
  for (const rule of rules) {
    const hosts = index.get(rule.namespace) ?? new Map<string, DestinationRule[]>();
    hosts.set(rule.host, [...(hosts.get(rule.host) ?? []), rule]);
    index.set(rule.namespace, hosts);
  }
  return index;
}

/**
 * The rule that a client in `clientNamespace` uses for a service: its own namespace's, else the
 * service's namespace's, else the root namespace's; inside a namespace the one with the
 * narrowest host.
 */
export function findRule(
  index: RuleIndex,
  service: Service,
  clientNamespace: string,
): MergedRule | undefined {
  // A rule that is found for a client in the root namespace is for everybody; its own
  // namespace does not come first there.
  const first = clientNamespace === ROOT_NAMESPACE ? [] : [clientNamespace];
  for (const namespace of [...first, service.namespace, ROOT_NAMESPACE]) {
    const rule = findInNamespace(index.get(namespace), service.hostname);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

function findInNamespace(
  hosts: ReadonlyMap<string, readonly DestinationRule[]> | undefined,
  hostname: string,
): MergedRule | undefined {
  if (hosts === undefined) return undefined;
  const host = hosts.has(hostname) ? hostname : narrowest(hostname, hosts.keys());
  const rules = host === undefined ? [] : (hosts.get(host) ?? []);
  const [first, ...others] = rules;
  return first === undefined ? undefined : mergeRules(first, ...others);
}

/**
 * Several rules of one namespace for one host are one: subsets add up, of two with one name the
 * older one's stays, and the first rule that has a policy gives it.
 */
export const mergeRules = memoise(
  (first: DestinationRule, ...others: readonly DestinationRule[]): MergedRule => {
    const rules = [first, ...others];
    const policy = rules.find(({ object }) => object.spec.trafficPolicy !== undefined)?.object.spec
      ?.trafficPolicy;
    const subsets = new Map<string, Subset>();
    for (const { key, object } of rules) {
      for (const [index, subset] of (object.spec.subsets ?? []).entries()) {
        if (subsets.has(subset.name)) continue;
        subsets.set(subset.name, {
          name: subset.name,
          labels: subset.labels ?? {},
          policy: resolvePolicy(policy, subset.trafficPolicy),
          origin: { key, path: `spec.subsets[${index}]` },
        });
      }
    }
    return {
      host: first.host,
      rules,
      policy: resolvePolicy(policy),
      subsets: [...subsets.values()],
    };
  },
);
