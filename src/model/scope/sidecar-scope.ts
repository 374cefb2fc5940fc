import { memoise } from "../../base/memo.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText, type ObjectIssue } from "../origin.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Service } from "../service.ts";
import type { Sidecar, SidecarEgress } from "../sidecar.ts";
import type { VirtualService } from "../virtual-service.ts";
import { type Candidates, candidatesFor } from "./candidates.ts";
import { destinationsOf } from "./destinations.ts";
import { compileImports, trimService } from "./imports.ts";

/** What the workloads of a namespace see that a Sidecar selects. */
export const buildSidecarScope = memoise(
  (
    sidecar: Sidecar,
    settings: MeshSettings,
    all: readonly Service[],
    visible: readonly VirtualService[],
    namespace: string,
  ): Scope => {
    const candidates = candidatesFor(all, namespace);
    const egress = sidecar.egress.map((entry) =>
      egressListener(sidecar, entry, candidates, visible, namespace),
    );
    const services = unionOf(egress, candidates);
    const { egressProxy, outboundMode } = sidecar;
    return {
      namespace,
      settings,
      services,
      virtualServices: visible.filter((one) =>
        egress.some(({ virtualServices }) => virtualServices.includes(one)),
      ),
      egress,
      outboundMode: outboundMode ?? settings.outboundMode,
      egressProxy,
      sidecar,
      issues: egressProxyIssues(sidecar, services),
    };
  },
);

function egressListener(
  { key }: Sidecar,
  { path, port, bind, captureMode, imports }: SidecarEgress,
  candidates: Candidates,
  visible: readonly VirtualService[],
  namespace: string,
): EgressListener {
  const test = compileImports(imports, namespace);
  const services = new Map<string, Service>();
  for (const [hostname, list] of candidates) {
    const found = list.find((service) => test.takesService(service));
    if (found === undefined) continue;
    const aliases = found.aliases.filter((alias) =>
      test.takesHost(alias.hostname, found.namespace),
    );
    const trimmed = withPortOf(trimService(found, found.ports, aliases), port);
    if (trimmed !== undefined) services.set(hostname, trimmed);
  }
  return {
    port,
    bind,
    captureMode,
    services,
    virtualServices: visible.filter((one) => test.takesVirtualService(one)),
    origin: { key, path },
  };
}

/** The service with only the port of a listener that is for one; absent when it has no such port. */
function withPortOf(service: Service, port: SidecarEgress["port"]): Service | undefined {
  if (port === undefined || port.number === 0 || port.isHttpProxy) return service;
  const ports = service.ports.filter(({ number }) => number === port.number);
  return ports.length === 0 ? undefined : trimService(service, ports);
}

/**
 * The services of all listeners, and those that their virtual services lead to, which come along
 * without being imported but never take a hostname over from one that is.
 */
function unionOf(
  egress: readonly EgressListener[],
  candidates: Candidates,
): ReadonlyMap<string, Service> {
  const union = new Map<string, Service>();
  const add = (service: Service): void => {
    const known = union.get(service.hostname);
    union.set(
      service.hostname,
      known === undefined ? service : joinPorts(known, service, candidates),
    );
  };
  for (const listener of egress) {
    for (const service of listener.services.values()) add(service);
    for (const virtualService of listener.virtualServices) {
      for (const [host, ports] of destinationsOf(virtualService)) {
        const [service] = candidates.get(host) ?? [];
        const trimmed = service && withPorts(service, ports, listener);
        if (trimmed !== undefined) add(trimmed);
      }
    }
  }
  return new Map([...union].sort(([a], [b]) => compareText(a, b)));
}

function withPorts(
  service: Service,
  numbers: ReadonlySet<number>,
  { port }: EgressListener,
): Service | undefined {
  if (port !== undefined && port.number !== 0 && !port.isHttpProxy) {
    return withPortOf(service, port);
  }
  if (numbers.size === 0) return service;
  const ports = service.ports.filter(({ number }) => numbers.has(number));
  return ports.length === 0 ? undefined : trimService(service, ports);
}

/** Two listeners may each have some ports of one service; of two services the first stays. */
function joinPorts(first: Service, second: Service, candidates: Candidates): Service {
  if (first === second || first.id !== second.id) return first;
  const whole = (candidates.get(first.hostname) ?? []).find(({ id }) => id === first.id);
  if (whole === undefined) return first;
  const numbers = new Set([...first.ports, ...second.ports].map(({ number }) => number));
  const names = new Set([...first.aliases, ...second.aliases].map(({ hostname }) => hostname));
  return trimService(
    whole,
    whole.ports.filter(({ number }) => numbers.has(number)),
    whole.aliases.filter(({ hostname }) => names.has(hostname)),
  );
}

function egressProxyIssues(
  { key, egressProxy }: Sidecar,
  services: ReadonlyMap<string, Service>,
): readonly ObjectIssue[] {
  if (egressProxy === undefined) return [];
  const service = services.get(egressProxy.host);
  const path = "spec.outboundTrafficPolicy.egressProxy";
  if (service === undefined) {
    const message =
      `"${egressProxy.host}" is no service that the selected workloads see: what they send ` +
      "to unknown hosts fails; import it in spec.egress, or name another";
    return [{ object: key, issue: { path: `${path}.host`, message, severity: "warning" } }];
  }
  if (service.ports.some(({ number }) => number === egressProxy.port)) return [];
  const message = `${egressProxy.port} is no port of "${egressProxy.host}"`;
  return [{ object: key, issue: { path: `${path}.port.number`, message, severity: "warning" } }];
}
