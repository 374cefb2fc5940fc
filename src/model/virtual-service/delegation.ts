import type { Issue } from "../../base/issue.ts";
import type { HttpRoute } from "../../config/http-route.ts";
import { formatKey, keyOf } from "../../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../../config/virtual-service.ts";
import { isVisible, resolveVisibility } from "../visibility.ts";
import type { WrittenRule } from "./http-rule.ts";
import { mergeMatches, mergeRoute, writtenMatches } from "./merge-route.ts";

/** Istio's annotation on objects that it makes of Ingresses: `ingress`. */
const SEMANTICS = "internal.istio.io/route-semantics";

/** The object that a rule delegates to; absent where it does not, or to what is not there. */
export type DelegateOf = (rule: HttpRoute) => VirtualServiceObject | undefined;

/**
 * The `http` rules of an object, those of its delegates in the place of the rules that name them.
 * What cannot be delegated to is left out, with an issue of the object that delegates.
 */
export function writtenRules(
  object: VirtualServiceObject,
  delegateOf: DelegateOf,
  exportTo: readonly string[],
  issues: Issue[],
): readonly WrittenRule[] {
  return (object.spec.http ?? []).flatMap((route, index): readonly WrittenRule[] => {
    const path = `spec.http[${index}]`;
    if (route.delegate === undefined) return [ownRule(object, route, path)];
    const delegate = delegateOf(route);
    const problem = delegateProblem(object, route, delegate, exportTo);
    if (problem !== undefined || delegate === undefined) {
      const message = `${problem ?? "there is no such VirtualService"}: the rule is left out`;
      issues.push({ path: `${path}.delegate`, message, severity: "warning" });
      return [];
    }
    return delegatedRules(ownRule(object, route, path), delegate, issues);
  });
}

function ownRule(object: VirtualServiceObject, route: HttpRoute, path: string): WrittenRule {
  const key = keyOf(object);
  const semantics = object.metadata.annotations?.[SEMANTICS];
  return {
    route,
    matches: writtenMatches(route, path, key.namespace),
    key,
    path,
    delegatedAt: undefined,
    hasSeparatedPrefixes: semantics === "ingress",
  };
}

function delegateProblem(
  object: VirtualServiceObject,
  { delegate }: HttpRoute,
  other: VirtualServiceObject | undefined,
  exportTo: readonly string[],
): string | undefined {
  const own = keyOf(object);
  if ((object.spec.hosts ?? []).length === 0) {
    return "a VirtualService without hosts is a delegate, and cannot delegate further";
  }
  const { name = "", namespace = "" } = delegate ?? {};
  if (name === "") return "it names no VirtualService";
  const full = `${namespace === "" ? own.namespace : namespace}/${name}`;
  if (other === undefined) return `there is no VirtualService/${full}`;
  if ((other.spec.hosts ?? []).length > 0) {
    return `VirtualService/${full} has hosts: only one without hosts is a delegate`;
  }
  const visibility = resolveVisibility(other.spec.exportTo, keyOf(other).namespace, exportTo);
  if (isVisible(visibility, own.namespace)) return undefined;
  return `VirtualService/${full} is not exported to namespace "${own.namespace}"`;
}

function delegatedRules(
  root: WrittenRule,
  delegate: VirtualServiceObject,
  issues: Issue[],
): readonly WrittenRule[] {
  const key = keyOf(delegate);
  return (delegate.spec.http ?? []).flatMap((route, index): readonly WrittenRule[] => {
    // One level only: the delegate itself is told.
    if (route.delegate !== undefined) return [];
    const path = `spec.http[${index}]`;
    const matches = mergeMatches(root.matches, writtenMatches(route, path, key.namespace), path);
    if (matches !== undefined) {
      const { hasSeparatedPrefixes } = root;
      const merged = mergeRoute(root.route, root.key.namespace, route);
      return [{ route: merged, matches, key, path, delegatedAt: root.path, hasSeparatedPrefixes }];
    }
    const message =
      `${path} of ${formatKey(key)} asks for what this rule does not ask for (its matches must ` +
      "be within these; regular expressions never are): the delegate's rule is left out";
    issues.push({ path: root.path, message, severity: "warning" });
    return [];
  });
}
