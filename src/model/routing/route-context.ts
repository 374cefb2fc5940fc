import type { Mesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Service } from "../service.ts";

/** For whom and where routes are made. */
export interface RouteContext {
  readonly mesh: Mesh;
  readonly proxy: ProxyNode;
  /** `mesh`, or the gateway's `namespace/name`. */
  readonly gateway: string;
  /** The port that the client asks for: of the service, or of the gateway's server. */
  readonly listenPort: number;
  /** Whether the listener ends TLS: what redirects take for the port that goes without saying. */
  readonly isTls?: boolean;
  /** The services that the proxy sees, by hostname. */
  readonly services: ReadonlyMap<string, Service>;
}
