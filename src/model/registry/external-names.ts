/**
 * Services of type `ExternalName` are other names for a service of the mesh, as Kubernetes' DNS has
 * them: whoever asks for the name means the service, on whatever port (Istio's
 * `ENABLE_EXTERNAL_NAME_ALIAS`). One that leads out of the mesh is nothing the mesh knows.
 */
import { memoise } from "../../base/memo.ts";
import { formatKey, keyOf } from "../../config/object.ts";
import type { Service as ServiceObject } from "../../config/service.ts";
import { CLUSTER_DOMAIN, serviceHostname } from "../host.ts";
import { compareText, type ObjectIssue } from "../origin.ts";
import type { Service, ServiceAlias } from "../service.ts";
import type { InputMemory, KnownService } from "./registry-part.ts";

/** Names may lead to names: no further than this. */
const HOPS_MAX = 16;

/** The other names of each service, by its hostname, and why some lead nowhere. */
export interface Aliases {
  readonly byTarget: ReadonlyMap<string, readonly ServiceAlias[]>;
  readonly issues: readonly ObjectIssue[];
}

/** Follows all names to the services that they stand for. */
export function resolveAliases(
  objects: readonly ServiceObject[],
  hostnames: ReadonlySet<string>,
): Aliases {
  const names = new Map(objects.map((object) => [hostnameOf(object), object]));
  const byTarget = new Map<string, ServiceAlias[]>();
  const issues: ObjectIssue[] = [];
  for (const object of objects) {
    const target = follow(object, names, hostnames);
    if ("problem" in target) {
      issues.push(problemIssue(object, target.problem));
    } else {
      byTarget.set(target.hostname, [...(byTarget.get(target.hostname) ?? []), aliasOf(object)]);
    }
  }
  for (const list of byTarget.values()) {
    list.sort((a, b) => compareText(a.hostname, b.hostname));
  }
  return { byTarget, issues };
}

const aliasOf = memoise(
  (object: ServiceObject): ServiceAlias => ({
    hostname: hostnameOf(object),
    namespace: object.metadata.namespace ?? "",
    key: keyOf(object),
  }),
);

/** The same services with their other names. */
export function withAliases(
  known: readonly KnownService[],
  { byTarget }: Aliases,
  memory: InputMemory,
): readonly KnownService[] {
  if (byTarget.size === 0) return known;
  return known.map((one) => {
    const { hostname } = one.service;
    const aliases = byTarget.get(hostname);
    return aliases === undefined ? one : addAliases(one, memory.keep(`alias ${hostname}`, aliases));
  });
}

function addAliases(
  { service, endpoints }: KnownService,
  aliases: readonly ServiceAlias[],
): KnownService {
  return { service: aliased(service, aliases), endpoints };
}

const aliased = memoise(
  (service: Service, aliases: readonly ServiceAlias[]): Service => ({ ...service, aliases }),
);

function hostnameOf({ metadata }: ServiceObject): string {
  return serviceHostname(metadata.name, metadata.namespace ?? "");
}

function targetOf({ spec }: ServiceObject): string {
  return (spec.externalName ?? "").toLowerCase().replace(/\.$/, "");
}

function follow(
  object: ServiceObject,
  names: ReadonlyMap<string, ServiceObject>,
  hostnames: ReadonlySet<string>,
): { readonly hostname: string } | { readonly problem: string } {
  let at = object;
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    const target = targetOf(at);
    if (hostnames.has(target)) return { hostname: target };
    const next = names.get(target);
    if (next === undefined) return { problem: outsideProblem(target) };
    if (next === object) return { problem: `leads back to itself by ${formatKey(keyOf(at))}` };
    at = next;
  }
  return { problem: `leads through more than ${HOPS_MAX} other names` };
}

function outsideProblem(target: string): string {
  const isOfCluster = target.endsWith(`.svc.${CLUSTER_DOMAIN}`);
  return isOfCluster
    ? `there is no service "${target}": requests to this name are treated as to an unknown host`
    : `"${target}" is not part of the mesh: requests to this name are treated as to an unknown host; a ServiceEntry would make it known`;
}

function problemIssue(object: ServiceObject, message: string): ObjectIssue {
  return {
    object: keyOf(object),
    issue: { path: "spec.externalName", message, severity: "warning" },
  };
}
