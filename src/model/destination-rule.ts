import { memoise } from "../base/memo.ts";
import type { DestinationRule as DestinationRuleObject } from "../config/destination-rule.ts";
import { matchLabels } from "../config/label-selector.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import { compareHosts, isWildcard, isWithin, resolveHost } from "./host.ts";
import type { Labels } from "./labels.ts";
import { compareText, type Origin } from "./origin.ts";
import { resolvePolicy } from "./policy/resolve-policy.ts";
import { sectionsOf, type WrittenPolicy } from "./policy/sections.ts";
import type { Service } from "./service.ts";
import { DEFAULT_POLICY, type TrafficPolicy } from "./traffic-policy.ts";
import { isVisible, resolveVisibility, type Visibility } from "./visibility.ts";

/** One DestinationRule, its host in full. */
export interface DestinationRule {
  readonly key: ObjectKey;
  readonly object: DestinationRuleObject;
  readonly namespace: string;
  readonly host: string;
  /** Its own namespace's alone where it selects workloads. */
  readonly visibility: Visibility;
  /** The workloads that it is for; absent: all. */
  readonly selector: Labels | undefined;
}

/** A part of a service's endpoints. */
export interface Subset {
  readonly name: string;
  readonly labels: Labels;
  readonly origin: Origin;
  /** What it says over the whole rule's policy. */
  readonly written: WrittenPolicy | undefined;
}

/** What the DestinationRules of one namespace say about one host, to those that see them alike. */
export interface MergedRule {
  readonly host: string;
  /** The oldest first; never empty. */
  readonly rules: readonly DestinationRule[];
  /** What is said of the whole host; see `policyOf`. */
  readonly written: WrittenPolicy | undefined;
  readonly subsets: readonly Subset[];
}

/** The rule of an object; `exportToDefault` is the mesh's. */
export const buildDestinationRule = memoise(
  (object: DestinationRuleObject, exportToDefault: readonly string[]): DestinationRule => {
    const { host, exportTo, workloadSelector } = object.spec;
    const namespace = object.metadata.namespace ?? "";
    return {
      key: keyOf(object),
      object,
      namespace,
      host: resolveHost(host, namespace),
      visibility:
        workloadSelector === undefined
          ? resolveVisibility(exportTo, namespace, exportToDefault)
          : new Set([namespace]),
      selector: workloadSelector === undefined ? undefined : (workloadSelector.matchLabels ?? {}),
    };
  },
);

/** All rules of the mesh, to be asked by `findRule`. */
export interface RuleIndex {
  /** The namespace whose rules are for everybody. */
  readonly rootNamespace: string;
  readonly byNamespace: Pick<ReadonlyMap<string, NamespaceRules>, "get">;
}

/** Rules of one namespace by host, the oldest first. */
export interface NamespaceRules {
  readonly byHost: ReadonlyMap<string, readonly DestinationRule[]>;
  /** Hosts that stand for many, the narrowest first. */
  readonly wildcards: readonly string[];
  /** Rules for chosen workloads. */
  readonly selecting: readonly DestinationRule[];
}

/** Groups rules, keeping their order; they come oldest first. */
export function indexRules(rules: readonly DestinationRule[], rootNamespace: string): RuleIndex {
  const byNamespace = new Map<string, NamespaceRules>();
  for (const [namespace, members] of group(rules, (rule) => rule.namespace)) {
    const byHost = group(members, (rule) => rule.host);
    byNamespace.set(namespace, {
      byHost,
      wildcards: [...byHost.keys()].filter(isWildcard).sort(compareHosts),
      selecting: members.filter(({ selector }) => selector !== undefined),
    });
  }
  return { rootNamespace, byNamespace };
}

function group<T>(values: readonly T[], nameOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const name = nameOf(value);
    const known = groups.get(name);
    if (known === undefined) groups.set(name, [value]);
    else known.push(value);
  }
  return groups;
}

/**
 * The rule that a client uses for a service: its own namespace's, else the service's namespace's,
 * else the root namespace's. In a namespace it is the one with the narrowest host, of these one
 * that selects the client before one for all.
 */
export function findRule(
  index: RuleIndex,
  service: Service,
  clientNamespace: string,
  clientLabels: Labels = {},
): MergedRule | undefined {
  const { rootNamespace } = index;
  const isClientOfRoot = clientNamespace === rootNamespace;
  const own = find(
    clientNamespace,
    ({ visibility, selector }) =>
      // What the root namespace says to everybody does not come before the service's own rules.
      isVisible(visibility, clientNamespace) &&
      (!isClientOfRoot || isPrivate(visibility)) &&
      (selector === undefined || matchLabels(selector, clientLabels)),
  );
  return own ?? find(service.namespace, isExported) ?? find(rootNamespace, isExported);

  function isExported({ visibility, selector }: DestinationRule): boolean {
    return selector === undefined && isVisible(visibility, clientNamespace);
  }

  function find(namespace: string, applies: (rule: DestinationRule) => boolean) {
    const rules = index.byNamespace.get(namespace);
    return rules === undefined ? undefined : findInNamespace(rules, service.hostname, applies);
  }
}

function isPrivate(visibility: Visibility): boolean {
  return visibility !== "all" && visibility !== "none" && visibility.size === 1;
}

function findInNamespace(
  { byHost, wildcards }: NamespaceRules,
  hostname: string,
  applies: (rule: DestinationRule) => boolean,
): MergedRule | undefined {
  const hosts = [hostname, ...wildcards.filter((host) => isWithin(hostname, host))];
  for (const host of hosts) {
    const groups = mergedRules(byHost.get(host) ?? NONE).filter(({ rules: [first] }) =>
      first === undefined ? false : applies(first),
    );
    const selecting = groups.find(({ rules: [first] }) => first?.selector !== undefined);
    const best = selecting ?? groups[0];
    if (best !== undefined) return best;
  }
  return undefined;
}

const NONE: readonly DestinationRule[] = [];

/** Rules for one host that are one because the same clients see them, the oldest first. */
export const mergedRules = memoise((rules: readonly DestinationRule[]): readonly MergedRule[] =>
  [...group(rules, audienceText).values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [mergeRules(first, ...others)],
  ),
);

/** Whom a rule is for, as text. */
function audienceText({ visibility, selector }: DestinationRule): string {
  const namespaces = typeof visibility === "string" ? visibility : [...visibility].sort();
  const labels =
    selector === undefined
      ? undefined
      : Object.entries(selector).sort(([a], [b]) => compareText(a, b));
  return JSON.stringify([namespaces, labels]);
}

/**
 * Several rules of one namespace for one host are one: subsets add up, of two with one name the
 * older one's stays, and the first rule that has a policy gives it.
 */
export const mergeRules = memoise(
  (first: DestinationRule, ...others: readonly DestinationRule[]): MergedRule => {
    const rules = [first, ...others];
    const subsets = new Map<string, Subset>();
    for (const { key, object } of rules) {
      for (const [index, { name, labels = {}, trafficPolicy }] of (
        object.spec.subsets ?? []
      ).entries()) {
        if (subsets.has(name)) continue;
        const path = `spec.subsets[${index}]`;
        subsets.set(name, {
          name,
          labels,
          origin: { key, path },
          written:
            trafficPolicy === undefined
              ? undefined
              : { policy: trafficPolicy, origin: { key, path: `${path}.trafficPolicy` } },
        });
      }
    }
    return { host: first.host, rules, written: firstPolicy(rules), subsets: [...subsets.values()] };
  },
);

function firstPolicy(rules: readonly DestinationRule[]): WrittenPolicy | undefined {
  for (const { key, object } of rules) {
    const policy = object.spec.trafficPolicy;
    if (policy !== undefined) return { policy, origin: { key, path: "spec.trafficPolicy" } };
  }
  return undefined;
}

/**
 * How a client that uses `rule` sends to a port of the service, or to a subset of it ("": all of
 * it; one that is not defined: as all of it). The same value for the same rule and what it says
 * alike of several ports.
 */
export function policyOf(
  rule: MergedRule | undefined,
  port: number,
  subset: string,
): TrafficPolicy {
  if (rule === undefined) return DEFAULT_POLICY;
  const own = subset === "" ? undefined : rule.subsets.find(({ name }) => name === subset);
  const layers = [rule.written, own?.written].filter((layer) => layer !== undefined);
  if (layers.length === 0) return DEFAULT_POLICY;
  const isOfPort = layers.some(({ policy }) =>
    policy.portLevelSettings?.some((one) => one.port?.number === port),
  );
  return resolved(rule, isOfPort ? port : NO_PORT, own?.name ?? "");
}

/** Stands for all ports that nothing is said of by themselves. */
const NO_PORT = 0;

const resolved = memoise((rule: MergedRule, port: number, subset: string): TrafficPolicy => {
  const own = rule.subsets.find(({ name }) => name === subset);
  const layers = [rule.written, own?.written].filter((layer) => layer !== undefined);
  return resolvePolicy(sectionsOf(layers, port), rule.rules[0]?.selector !== undefined);
});
