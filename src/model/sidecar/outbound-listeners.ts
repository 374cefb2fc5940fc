/**
 * The listeners for what a sidecar's app sends out. Services meet on one address and port, most of
 * all on the one that stands for all addresses; what becomes of them there is Istio's:
 * https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
 */
import { memoise } from "../../base/memo.ts";
import { formatKey, type KubeObject } from "../../config/object.ts";
import type { ServiceEntry } from "../../config/service-entry.ts";
import { endpointsOf, type Mesh } from "../mesh.ts";
import { compareAge, compareText, type ObjectIssue } from "../origin.ts";
import { isHttp, type Protocol } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import type { EgressListener, Scope } from "../scope.ts";
import type { Service, ServicePort } from "../service.ts";
import {
  type ChainContext,
  httpChain,
  isAddress,
  originOf,
  type ServiceOnPort,
  tcpChains,
} from "./outbound-chains.ts";
import {
  addChains,
  type ChainDraft,
  forPlainHttp,
  isUnixSocket,
  type ListenerEntry,
  type ListenerProtocol,
  listenerName,
} from "./outbound-entry.ts";
import {
  isCidr,
  isPortable,
  localAddresses,
  serviceAddresses,
  wildcardAddresses,
} from "./service-address.ts";

/** The listeners of one kind of client, and the routes that they ask for. */
export interface OutboundListeners {
  /** In the order in which they came. */
  readonly entries: readonly ListenerEntry[];
  /** By their names. */
  readonly routes: ReadonlyMap<string, RouteUse>;
  readonly issues: readonly ObjectIssue[];
}

/** What a route configuration is for. */
export type RouteUse = {
  /** The place of the way out among the scope's. */
  readonly egress: number;
  /** Whether clients ask the listener's own address: there is no other to pass a request on to. */
  readonly isBound: boolean;
} & (
  | { readonly type: "port"; readonly port: number }
  | { readonly type: "service"; readonly hostname: string; readonly port: number }
  /** Of all ports. */
  | { readonly type: "proxy" }
);

/** A port as a listener has it: of a service, or of an egress listener. */
interface ListenPort {
  readonly number: number;
  readonly protocol: Protocol;
  readonly isHttpProxy: boolean;
}

/** Where a listener is to be; none: by the service's addresses. */
interface Bind {
  readonly addresses: readonly string[];
  readonly isBound: boolean;
}

/** Builds all of them; the oldest service of an address and port decides what it speaks. */
export class OutboundBuilder {
  readonly #mesh: Mesh;
  readonly #scope: Scope;
  readonly #client: ProxyNode;
  readonly #entries = new Map<string, ListenerEntry>();
  readonly #routes = new Map<string, RouteUse>();
  readonly #issues: ObjectIssue[] = [];

  constructor(mesh: Mesh, scope: Scope, client: ProxyNode) {
    this.#mesh = mesh;
    this.#scope = scope;
    this.#client = client;
  }

  /** Adds the listeners of every way out, in the order in which the Sidecar has them. */
  build(): OutboundListeners {
    for (const listener of this.#scope.egress) {
      if (listener.port === undefined) this.#addServicePorts(listener);
      else this.#addPort(listener, listener.port);
    }
    const entries = [...this.#entries.values()];
    return { entries, routes: this.#routes, issues: this.#issues };
  }

  /** A listener for the port that a Sidecar names. */
  #addPort(listener: EgressListener, port: NonNullable<EgressListener["port"]>): void {
    const bind = this.#bindOf(listener);
    const problem = bind.isBound ? portProblem(port.number, this.#client) : undefined;
    if (problem !== undefined) {
      if (listener.origin === undefined) return;
      const { key, path } = listener.origin;
      const message = `there is no listener on port ${port.number}: ${problem}`;
      this.#issues.push({
        object: key,
        issue: { path: `${path}.port.number`, message, severity: "warning" },
      });
      return;
    }
    for (const service of byAge(listener.services)) this.#add(listener, service, port, bind);
  }

  /** Listeners for the ports of services, but for those that a Sidecar named before. */
  #addServicePorts(listener: EgressListener): void {
    const bind = this.#bindOf(listener);
    // What binds the pod's address would meet what comes in for the app there.
    const isUseless = isPortable(this.#client) && listener.bind === "";
    if (isUseless) return;
    for (const entry of this.#entries.values()) entry.isLocked = true;
    for (const service of byAge(listener.services)) {
      for (const port of service.ports) {
        const listenPort = { ...port, isHttpProxy: false };
        const addresses = this.#endpointAddresses(service, port, bind);
        if (addresses === undefined) {
          this.#add(listener, service, listenPort, bind);
          continue;
        }
        for (const address of addresses) {
          this.#add(listener, service, listenPort, { ...bind, addresses: [address] });
        }
      }
    }
  }

  #bindOf({ bind, captureMode }: EgressListener): Bind {
    const isBound =
      this.#client.interceptionMode === "NONE" || captureMode === "NONE" || isUnixSocket(bind);
    if (bind !== "") return { addresses: [bind], isBound };
    return { addresses: isBound ? localAddresses(this.#client) : [], isBound };
  }

  /**
   * Where connections to a service go that has no address of its own, and speaks something that
   * does not say a host: each of its endpoints has a listener. `undefined` where that is not so.
   */
  #endpointAddresses(
    service: Service,
    port: ServicePort,
    bind: Bind,
  ): readonly string[] | undefined {
    const isByEndpoint =
      bind.addresses.length === 0 &&
      (service.isHeadless || service.resolution === "passthrough") &&
      !isHttp(port.protocol) &&
      serviceAddresses(service, this.#client).length === 0;
    if (!isByEndpoint) return undefined;
    const endpoints = endpointsOf(this.#mesh, service)?.get(port.name) ?? [];
    // What has endpoints only now and then must not take the port from all others meanwhile.
    const isForAll =
      service.registry !== "Kubernetes" && endpoints.length === 0 && !selectsWorkloads(service);
    if (isForAll) return undefined;
    return [...new Set(endpoints.map(({ address }) => address))].filter(isAddress);
  }

  #add(listener: EgressListener, service: Service, port: ListenPort, bind: Bind): void {
    if (port.isHttpProxy || isHttp(port.protocol)) {
      const binds = bind.addresses.length > 0 ? bind.addresses : wildcardAddresses(this.#client);
      this.#addOn(listener, service, port, { ...bind, addresses: binds }, undefined);
      return;
    }
    for (const { addresses, cidr } of this.#placesOf(service, bind)) {
      this.#addOn(listener, service, port, { ...bind, addresses }, cidr);
    }
  }

  /** The addresses of a service that each have a listener. */
  #placesOf(
    service: Service,
    { addresses }: Bind,
  ): readonly { readonly addresses: readonly string[]; readonly cidr: string | undefined }[] {
    if (addresses.length > 0) return [{ addresses, cidr: undefined }];
    const wildcards = wildcardAddresses(this.#client);
    const own = serviceAddresses(service, this.#client);
    if (own.length === 0) return [{ addresses: wildcards, cidr: undefined }];
    // Two addresses of a cluster's service are of two families: one listener has both.
    if (service.registry === "Kubernetes") return [{ addresses: own, cidr: undefined }];
    return own.map((address) =>
      isCidr(address)
        ? { addresses: wildcards, cidr: address }
        : { addresses: [address], cidr: undefined },
    );
  }

  #addOn(
    listener: EgressListener,
    service: Service,
    port: ListenPort,
    { addresses, isBound }: Bind,
    cidr: string | undefined,
  ): void {
    const [primary, ...extra] = addresses;
    if (primary === undefined) return;
    const key = listenerName(primary, port.number);
    const entry = this.#entries.get(key);
    if (entry?.isLocked === true) return;
    const [wildcard] = wildcardAddresses(this.#client);
    const isShared = primary === wildcard;
    const wanted = protocolOf(port, isShared);
    // All HTTP services of a port are in its routes, and so are those that may speak it.
    if (entry !== undefined && entry.protocol !== "tcp" && wanted.spoken !== "tcp") {
      if (wanted.spoken === "http" || entry.protocol === "auto") return;
    }
    const context: ChainContext = {
      mesh: this.#mesh,
      scope: this.#scope,
      client: this.#client,
      listener,
    };
    const on: ServiceOnPort = {
      service,
      port: port.number,
      protocol: port.protocol,
      cidr,
      isShared,
    };
    const drafts = [
      ...(wanted.spoken === "http" ? [] : tcpChains(context, on)),
      ...(wanted.spoken === "tcp"
        ? []
        : [this.#httpDraft(context, on, port, { primary, isShared, isBound })]),
    ];
    const binds: [string, ...string[]] = [primary, ...extra];
    if (entry === undefined || (wanted.spoken === "auto" && entry.protocol === "http")) {
      const { protocol } = wanted;
      const { number } = port;
      const fresh: ListenerEntry = {
        binds,
        port: number,
        isBound,
        owner: entry?.owner ?? service,
        protocol,
        isLocked: false,
        chains: [],
      };
      addChains(fresh, drafts);
      this.#entries.set(key, fresh);
      return;
    }
    this.#join(entry, wanted.spoken, drafts, service, key);
  }

  /** Puts a service on a listener that others made. */
  #join(
    entry: ListenerEntry,
    spoken: ListenerProtocol,
    drafts: readonly ChainDraft[],
    service: Service,
    name: string,
  ): void {
    if (entry.protocol !== spoken) entry.protocol = "auto";
    if (addChains(entry, drafts) || entry.owner === service) return;
    if (formatKey(entry.owner.key) === formatKey(service.key)) return;
    const message =
      `connections to listener ${name} go to ${entry.owner.hostname} of ` +
      `${formatKey(entry.owner.key)}, which is older: nothing tells the two apart; give ` +
      "one an address or a port of its own";
    const { key, path } = originOf(service);
    const issue = { path, message, severity: "warning" } as const;
    this.#issues.push({ object: key, issue, takenListener: name });
  }

  #httpDraft(
    context: ChainContext,
    { service }: ServiceOnPort,
    port: ListenPort,
    at: { readonly primary: string; readonly isShared: boolean; readonly isBound: boolean },
  ): ChainDraft {
    const { isShared } = at;
    const egress = this.#scope.egress.indexOf(context.listener);
    const [name, use] = routeUse(egress, service, port, at);
    if (!this.#routes.has(name)) this.#routes.set(name, use);
    const role = port.isHttpProxy ? "http-proxy" : "sidecar-outbound";
    const isForAny = port.isHttpProxy || port.number === 0;
    const routes = { routes: name, port: isForAny ? undefined : port.number };
    const draft = httpChain(context, routes, service, role);
    const isTold = isHttp(port.protocol) && !isShared;
    return isTold || port.isHttpProxy ? draft : forPlainHttp(draft);
  }
}

/** What a port is said to speak, and what a listener speaks that it is on. */
function protocolOf(
  { protocol, isHttpProxy }: ListenPort,
  isShared: boolean,
): { readonly spoken: ListenerProtocol; readonly protocol: ListenerProtocol } {
  if (isHttpProxy) return { spoken: "http", protocol: "http" };
  // On the address of all, what is no HTTP may be meant for somebody that nobody knows.
  if (isHttp(protocol)) return { spoken: "http", protocol: isShared ? "auto" : "http" };
  if (protocol === "auto") return { spoken: "auto", protocol: "auto" };
  return { spoken: "tcp", protocol: "tcp" };
}

/** The name of the routes that a listener asks for, and what they are for. */
function routeUse(
  egress: number,
  { hostname }: Service,
  { number, protocol, isHttpProxy }: ListenPort,
  { primary, isShared, isBound }: { primary: string; isShared: boolean; isBound: boolean },
): readonly [name: string, use: RouteUse] {
  const base = { egress, isBound };
  if (number === 0) return [primary, { ...base, type: "proxy" }];
  if (isHttpProxy) return [String(number), { ...base, type: "proxy" }];
  if (protocol === "auto" && !isShared) {
    return [`${hostname}:${number}`, { ...base, type: "service", hostname, port: number }];
  }
  return [String(number), { ...base, type: "port", port: number }];
}

/** Ports of sidecars that have a use already. */
const TAKEN: Readonly<Record<number, string>> = {
  15000: "administration",
  15020: "merged metrics",
  15021: "health",
  15090: "metrics",
};

const PRIVILEGED_MAX = 1023;

function portProblem(
  port: number,
  { isUnprivileged, httpProxyPort }: ProxyNode,
): string | undefined {
  if (port === httpProxyPort) return "the sidecar's explicit proxy has it";
  const use = TAKEN[port];
  if (use !== undefined) return `the sidecar has it for itself (${use})`;
  return isUnprivileged && port > 0 && port <= PRIVILEGED_MAX
    ? "the pod may not bind ports below 1024"
    : undefined;
}

function selectsWorkloads({ object }: Service): boolean {
  return (object as KubeObject & Partial<ServiceEntry>).spec?.workloadSelector !== undefined;
}

/** The oldest first: it decides what a listener speaks. */
const byAge = memoise((services: ReadonlyMap<string, Service>): readonly Service[] =>
  [...services.values()].sort(
    (a, b) => compareAge(a.object, b.object) || compareText(a.hostname, b.hostname),
  ),
);
