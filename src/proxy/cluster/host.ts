import type { NetConnectOpts, Socket } from "node:net";
import { formatHostPort } from "../../base/ip.ts";
import type { PeerAddress } from "../../match/connection-info.ts";
import type { Memberships } from "../balance/subset-balancer.ts";
import type { OutlierMonitor } from "../health/outlier-monitor.ts";
import { orderAddresses } from "../net/address-order.ts";
import { AddressRace } from "../net/address-race.ts";
import type { DialDeps, Dialing, OnConnect } from "../net/dial.ts";
import { remoteAddressOf, type SocketOwner } from "../net/socket.ts";
import type { Hello } from "../tls/upstream-tls.ts";
import type { Priority } from "./breakers.ts";
import type {
  ConnectionConfig,
  EdsHealth,
  Endpoint,
  EndpointHealthCheck,
  HostAddress,
  Locality,
  Metadata,
} from "./cluster-config.ts";
import { clientKey, type DialClient, dialHost, type UpstreamNames } from "./host-dial.ts";
import { type Health, type HealthFlag, healthOf, statusOf, withEdsHealth } from "./host-health.ts";
import type { ClusterLoad } from "./load.ts";

/** Something open to a host that must go when the host goes. */
export interface HostPool {
  /** Closes what is unused now and the rest when its request ends. */
  retire(): void;
}

/** Somebody who waits until the host may have one connection more. */
export interface Queued {
  /** Whether that could begin. */
  tryConnect(): boolean;
}

/** A connection that ends when its host fails. */
export interface FragileConnection {
  onHostFailed(): void;
}

/** The active health check of a host, for whoever sees its ordinary responses. */
export interface ActiveCheck {
  /** The host said that it should get no more. */
  failNow(): void;
}

/** Weight, health and place of a host: what an update may change while connections stay. */
export interface HostState {
  readonly weight: number;
  readonly health: EdsHealth;
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  readonly metadata: Metadata;
  readonly additionalAddresses: readonly HostAddress[];
  readonly healthCheck: EndpointHealthCheck | undefined;
}

/** One upstream address of one cluster, with what is in flight to it. */
export class Host {
  readonly load: ClusterLoad;
  /** An IP address, or the path of a Unix socket when the port is 0. */
  readonly address: string;
  readonly port: number;
  /** `address:port`, for logs and as key; the path of a Unix socket. */
  readonly key: string;
  /** What a socket to each of its addresses is connected with, in the order of trying. */
  #dials: readonly NetConnectOpts[];
  #state: HostState;
  /** Bits of `HEALTH_FLAG`. */
  #healthFlags: number;
  /** Told when a flag changed; set by the cluster that has the host. */
  onHealthChange: (host: Host, before: number) => void = () => undefined;
  /** Is told what the host does; `undefined` where nobody wants to know. */
  outlier: OutlierMonitor | undefined = undefined;
  /** Since when it is healthy, on the monotonic clock, where slow start asks for that. */
  healthySinceMs: number | undefined = undefined;
  activeRequests = 0;
  activeConnections = 0;
  connectionsTotal = 0;
  connectFails = 0;
  requestsTotal = 0;
  requestErrors = 0;
  requestSuccesses = 0;
  requestTimeouts = 0;
  isRemoved = false;
  /** The subset balancer's. */
  memberships: Memberships | undefined = undefined;
  /** TCP connections that wait for the end of another; HTTP's pools know their own. */
  readonly queue: Queued[] = [];
  /** `undefined` where the host is not checked. */
  activeCheck: ActiveCheck | undefined = undefined;
  /** Connections outside of pools that end when the host fails; only where that is asked for. */
  readonly fragile = new Set<FragileConnection>();
  /** By what they are for, made by the first request; their owner is the HTTP side. */
  readonly pools: (HostPool | undefined)[] = [];
  /** Those whose connections are not for every client, by that and `clientKey`. */
  readonly clientPools = new Map<string, HostPool>();

  constructor(endpoint: Endpoint, load: ClusterLoad) {
    this.address = endpoint.address;
    this.port = endpoint.port;
    this.key = endpointKey(endpoint);
    this.#dials = dialOptions(endpoint, endpoint, load.config.connection);
    this.#state = endpoint;
    this.#healthFlags = withEdsHealth(0, endpoint.health);
    this.load = load;
  }

  get state(): HostState {
    return this.#state;
  }

  /** Takes what discovery says now, its health included. */
  set state(state: HostState) {
    this.#state = state;
    this.#dials = dialOptions(this, state, this.load.config.connection);
    this.#setFlags(withEdsHealth(this.#healthFlags, state.health));
  }

  get healthFlags(): number {
    return this.#healthFlags;
  }

  get health(): Health {
    return healthOf(this.#healthFlags);
  }

  /** What its checks and discovery say of it, in discovery's words. */
  get status(): EdsHealth {
    return statusOf(this.#healthFlags, this.#state.health);
  }

  /** A request of HTTP, or a connection of TCP, is on its way there; `onRequestEnded` follows once. */
  onRequestStarted(priority: Priority): void {
    this.activeRequests++;
    this.requestsTotal++;
    this.load.requestsTotal++;
    this.load.breakers[priority].requests++;
  }

  onRequestEnded(priority: Priority): void {
    this.activeRequests--;
    this.load.breakers[priority].requests--;
  }

  hasFlag(flag: HealthFlag): boolean {
    return (this.#healthFlags & flag) !== 0;
  }

  setFlag(flag: HealthFlag, isSet: boolean): void {
    this.#setFlags(isSet ? this.#healthFlags | flag : this.#healthFlags & ~flag);
  }

  #setFlags(flags: number): void {
    const before = this.#healthFlags;
    if (flags === before) return;
    this.#healthFlags = flags;
    this.onHealthChange(this, before);
  }

  /** Whether one more connection may be made to it. */
  canConnect(priority: Priority): boolean {
    const breakers = this.load.breakers[priority];
    return breakers.canConnect() && this.activeConnections < breakers.limits.hostConnectionsMax;
  }

  /** Connects; `onConnect` is called once when it can be written to, else the owner's `onClose`. */
  connect(
    { clock, readBuffer }: DialDeps,
    owner: SocketOwner,
    onConnect: OnConnect,
    client?: DialClient,
    hello?: Hello,
  ): Dialing {
    const [first, second] = this.#dials;
    if (first === undefined) throw new Error("a host has no address");
    const { transports } = this.load;
    const { metadata, hostname } = this.state;
    const hop = {
      tls: transports?.for(metadata),
      header: transports?.headerFor(metadata),
      client,
      hello: { ...hello, hostname },
      keepAlive: this.load.config.connection.keepAlive,
    };
    if (second === undefined) return dialHost(first, hop, readBuffer, owner, onConnect);
    return new AddressRace({
      addresses: this.#dials,
      dial: (to, attempt, onAttempt) => dialHost(to, hop, readBuffer, attempt, onAttempt),
      clock,
      owner,
      onConnect,
      onFurtherAttempt: () => {
        this.connectionsTotal++;
        this.load.connectionsTotal++;
      },
    });
  }

  /** What tells apart the connections of clients that must not share them: "" where all may. */
  clientKey(client: DialClient | undefined, names?: UpstreamNames): string {
    const { transports } = this.load;
    if (transports === undefined && client?.originalSource === undefined) return "";
    const key = client && clientKey(transports?.headerFor(this.state.metadata), client);
    if (names === undefined) return key ?? "";
    return `${key ?? ""} ${names.serverName} ${names.certifiedName}`;
  }

  /** Which of its addresses a socket is connected to; `undefined` where a Unix socket has none. */
  remoteAddressOn(socket: Socket): PeerAddress | undefined {
    const { address, port } = this;
    return this.#dials.length === 1 ? { address, port } : remoteAddressOf(socket);
  }

  countResponse(status: number): void {
    if (status >= 500) this.requestErrors++;
    else this.requestSuccesses++;
  }

  /** A connection is being made; `onConnectionClosed` follows once. */
  onConnectionOpened(priority: Priority): void {
    const { load } = this;
    load.breakers[priority].connections++;
    load.connectionsTotal++;
    this.activeConnections++;
    this.connectionsTotal++;
  }

  /** Whoever made it says whether it ever stood. */
  onConnectionClosed(priority: Priority, wasConnected: boolean): void {
    const { load } = this;
    load.breakers[priority].connections--;
    this.activeConnections--;
    if (!wasConnected) {
      load.connectFails++;
      this.connectFails++;
    }
    if (this.queue[0]?.tryConnect() === true) this.queue.shift();
  }

  /** Closes its connections, those in use when their request ends. */
  drain(): void {
    for (const pool of this.pools) pool?.retire();
    for (const pool of this.clientPools.values()) pool.retire();
  }

  /** What made it fail may be in the way to it: later connections may do better. */
  fail(): void {
    this.drain();
    for (const connection of this.fragile) connection.onHostFailed();
  }

  /** No new requests; those in flight end in order. */
  remove(): void {
    this.isRemoved = true;
    this.drain();
  }
}

/** What tells endpoints apart: `address:port`, or the path of a Unix socket. */
export function endpointKey({ address, port }: Pick<Endpoint, "address" | "port">): string {
  return address.startsWith("/") ? address : formatHostPort(address, port);
}

/** One entry for each address of a host. */
function dialOptions(
  { address, port }: HostAddress,
  { additionalAddresses }: Pick<HostState, "additionalAddresses">,
  config: ConnectionConfig,
): readonly NetConnectOpts[] {
  const own = { address, port };
  if (additionalAddresses.length === 0) return [dialAddress(own, config)];
  const ordered = orderAddresses([own, ...additionalAddresses], config.addressOrder);
  return ordered.map((one) => dialAddress(one, config));
}

/** What a socket to an address is connected with. */
export function dialAddress(
  { address, port }: HostAddress,
  config: ConnectionConfig,
): NetConnectOpts {
  const { sources } = config;
  if (address.startsWith("/")) return { path: address };
  const source = sources.find((one) => one.address.includes(":") === address.includes(":"));
  const from = source === undefined ? {} : { localAddress: source.address, localPort: source.port };
  return { host: address, port, ...from };
}
