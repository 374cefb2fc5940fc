import { formatHostPort } from "../../base/ip.ts";
import type { ClusterLoad } from "./load.ts";

/** Something open to a host that must go when the host goes. */
export interface HostPool {
  /** Closes what is unused now and the rest when its request ends. */
  retire(): void;
}

/** Weight, health and place of a host: what an update may change while connections stay. */
export interface HostState {
  readonly weight: number;
  readonly isHealthy: boolean;
  readonly hostname: string;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** One upstream address of one cluster, with what is in flight to it. */
export class Host {
  readonly address: string;
  readonly port: number;
  /** `address:port`, for logs and as key. */
  readonly key: string;
  readonly load: ClusterLoad;
  state: HostState;
  activeRequests = 0;
  activeConnections = 0;
  connectionsTotal = 0;
  connectFails = 0;
  requestsTotal = 0;
  requestErrors = 0;
  requestTimeouts = 0;
  isRemoved = false;
  /** Made by the first request; its owner is the HTTP side. */
  pool: HostPool | undefined = undefined;

  constructor(address: string, port: number, state: HostState, load: ClusterLoad) {
    this.address = address;
    this.port = port;
    this.key = formatHostPort(address, port);
    this.state = state;
    this.load = load;
  }

  /** No new requests; those in flight end in order. */
  remove(): void {
    this.isRemoved = true;
    this.pool?.retire();
  }
}
