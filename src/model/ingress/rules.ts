import type { HttpRoute } from "../../config/http-route.ts";
import type { Ingress, IngressBackend, IngressPath } from "../../config/ingress.ts";
import { keyOf } from "../../config/object.ts";
import type { Service } from "../../config/service.ts";
import { serviceHostname } from "../host.ts";
import type { ObjectIssue, Origin } from "../origin.ts";

/** One path of an Ingress as a rule of a VirtualService. */
export interface IngressRoute {
  /** `*` for every host. */
  readonly host: string;
  readonly ingress: Ingress;
  readonly origin: Origin;
  readonly route: HttpRoute;
  /** What it takes: exact paths come first, then the longer ones. */
  readonly rank: { readonly isExact: boolean; readonly length: number };
}

/** Service objects by `namespace/name`. */
export type ServicesByName = ReadonlyMap<string, Service>;

/** The routes of an Ingress, in its own order; what leads nowhere is left out with an issue. */
export function listRoutes(
  ingress: Ingress,
  services: ServicesByName,
  issues: ObjectIssue[],
): readonly IngressRoute[] {
  const key = keyOf(ingress);
  const { rules = [], defaultBackend } = ingress.spec ?? {};
  const routes: IngressRoute[] = [];
  const add = (
    host: string,
    backend: IngressBackend,
    at: { readonly path: string; readonly backendPath: string },
    match: Pick<IngressRoute, "rank"> & Pick<HttpRoute, "match">,
  ): void => {
    const destination = resolveBackend(ingress, backend, services);
    if (typeof destination === "string") {
      const issue = { path: at.backendPath, message: destination, severity: "warning" } as const;
      issues.push({ object: key, issue });
      return;
    }
    if (!services.has(`${ingress.metadata.namespace ?? ""}/${backend.service?.name}`)) {
      const message = `there is no service "${backend.service?.name}": requests are answered 503`;
      issues.push({ object: key, issue: { path: at.backendPath, message, severity: "warning" } });
    }
    const route = { route: [{ destination }], match: match.match } as HttpRoute;
    const origin = { key, path: at.path };
    routes.push({ host, ingress, origin, route, rank: match.rank });
  };
  const hosts = new Set<string>(["*"]);
  for (const [ruleIndex, { host, http }] of rules.entries()) {
    hosts.add(host ?? "*");
    for (const [index, one] of (http?.paths ?? []).entries()) {
      const path = `spec.rules[${ruleIndex}].http.paths[${index}]`;
      add(host ?? "*", one.backend, { path, backendPath: `${path}.backend` }, pathMatch(one));
    }
  }
  if (defaultBackend !== undefined) {
    // What no path of its hosts takes, and every other host.
    for (const host of hosts) {
      const path = "spec.defaultBackend";
      add(host, defaultBackend, { path, backendPath: path }, EVERYTHING);
    }
  }
  return routes;
}

const EVERYTHING = { match: [{ uri: { prefix: "/" } }], rank: { isExact: false, length: 0 } };

/**
 * `Prefix` is by whole elements: `/a` takes `/a` and `/a/b`, not `/ab`. `ImplementationSpecific` is
 * exact here unless it ends in `*` or `.*`, as in Istio.
 */
function pathMatch({
  path = "/",
  pathType,
}: IngressPath): Pick<IngressRoute, "rank"> & Pick<HttpRoute, "match"> {
  const rank = { isExact: false, length: path.length };
  if (pathType === "Prefix") {
    const whole = path.replace(/\/+$/, "");
    if (whole === "") return { ...EVERYTHING, rank: { isExact: false, length: 1 } };
    return { match: [{ uri: { exact: whole } }, { uri: { prefix: `${whole}/` } }], rank };
  }
  if (pathType === "ImplementationSpecific") {
    const open = /^(.*?)\.?\*$/.exec(path)?.[1];
    if (open !== undefined) return { match: [{ uri: { prefix: open === "" ? "/" : open } }], rank };
    if (path === "" || path === "/") return { ...EVERYTHING, rank };
  }
  return { match: [{ uri: { exact: path } }], rank: { ...rank, isExact: true } };
}

type Destination = NonNullable<HttpRoute["route"]>[number]["destination"];

/** Where a backend leads, or why it leads nowhere. */
function resolveBackend(
  { metadata: { namespace = "" } }: Ingress,
  { service, resource }: IngressBackend,
  services: ServicesByName,
): Destination | string {
  if (service === undefined) {
    return `a backend of kind ${resource?.kind ?? "(none)"} is not supported: name a Service`;
  }
  const { name, port } = service;
  const host = serviceHostname(name, namespace);
  const found = services.get(`${namespace}/${name}`);
  // One that is not there (yet) is routed to all the same: 503 says so until it comes.
  if (port?.number !== undefined && port.number > 0) return { host, port: { number: port.number } };
  if (found === undefined)
    return `there is no service "${name}" in ${namespace}: the path is left out`;
  const named = found.spec.ports?.find((one) => one.name === port?.name);
  return named === undefined
    ? `service "${name}" has no port "${port?.name ?? ""}": the path is left out`
    : { host, port: { number: named.port } };
}

/** Exact paths first, then the longer ones; of the same the older Ingress's. */
export function compareRoutes(a: IngressRoute, b: IngressRoute): number {
  return Number(b.rank.isExact) - Number(a.rank.isExact) || b.rank.length - a.rank.length;
}
