import { memoise } from "../../base/memo.ts";
import type { ListenAddress } from "../listener.ts";
import type { Origin } from "../origin.ts";
import { isHttp, type Protocol } from "../protocol.ts";
import type { Service, ServicePort } from "../service.ts";
import type { ServerTls } from "../tls.ts";
import { type ConnectionPool, DEFAULT_POLICY } from "../traffic-policy.ts";
import type { ChainProtocol } from "./inbound-tls.ts";

/** One port of a pod that traffic comes in for. */
export interface InboundPort {
  /** The pod's port: whom clients are connected to. */
  readonly number: number;
  readonly protocol: Protocol;
  /** What clients call it, for telemetry: `reviews.default.svc.cluster.local:9080`. */
  readonly operation: string;
  /** Names the virtual host. */
  readonly servicePort: number;
  /** Where its listener is, or after what its chains are named where it has none of its own. */
  readonly bind: string;
  /** Whether it has a listener of its own; else what is captured comes to it. */
  readonly isBound: boolean;
  readonly app: AppAddress;
  /** TLS that the user set up; counts only where mutual TLS is off. */
  readonly tls: ServerTls | undefined;
  readonly pool: ConnectionPool;
  /** Absent for a port that no service has. */
  readonly target: { readonly service: Service; readonly port: ServicePort } | undefined;
  readonly origins: readonly Origin[];
}

/** Where the app is: the address that the client meant, or one that is always the same. */
export type AppAddress = "original" | ListenAddress;

/** The port of a pod that a service leads to. */
export const servicePortOf = memoise(
  (
    service: Service,
    port: ServicePort,
    number: number,
    bind: string,
    isBound: boolean,
    appIp: string | undefined,
    pool: ConnectionPool = DEFAULT_POLICY.connectionPool,
  ): InboundPort => ({
    number,
    protocol: port.protocol,
    operation: `${service.hostname}:${port.number}/*`,
    servicePort: port.number,
    bind,
    isBound,
    app: appIp === undefined ? "original" : { address: appIp, port: number },
    tls: undefined,
    pool,
    target: { service, port },
    origins: [{ key: service.key, path: service.path }],
  }),
);

/** What a port's chains must tell apart. */
export function chainProtocol(protocol: Protocol): ChainProtocol {
  if (isHttp(protocol)) return "http";
  return protocol === "auto" ? "auto" : "tcp";
}
