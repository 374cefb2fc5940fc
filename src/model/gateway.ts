import { memoise } from "../base/memo.ts";
import type { Gateway as GatewayObject } from "../config/gateway.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type { Labels } from "./labels.ts";

/** What a server of a Gateway speaks to its clients, as far as it is built. */
export type ServerProtocol = "http" | "unsupported";

/** One Gateway. */
export interface Gateway {
  readonly key: ObjectKey;
  readonly object: GatewayObject;
  /** `namespace/name`, as VirtualServices name it. */
  readonly name: string;
  /** Labels of the pods that it configures; empty is every gateway pod. */
  readonly selector: Labels;
  readonly servers: readonly GatewayServer[];
}

/** One entry of `servers`. */
export interface GatewayServer {
  readonly gateway: string;
  readonly key: ObjectKey;
  readonly path: string;
  /** As written: a port of the gateway's Service, or of its pods. */
  readonly port: number;
  /** As written, for messages. */
  readonly protocolName: string;
  readonly protocol: ServerProtocol;
  readonly hosts: readonly ServerHost[];
}

/** A host that a server takes, and whose VirtualServices may bind to it. */
export interface ServerHost {
  /** A namespace, or `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

const HTTP_PROTOCOLS = new Set(["HTTP", "HTTP2", "GRPC", "GRPC-WEB"]);

/** The Gateway of an object. */
export const buildGateway = memoise((object: GatewayObject): Gateway => {
  const namespace = object.metadata.namespace ?? "";
  const name = `${namespace}/${object.metadata.name}`;
  const key = keyOf(object);
  return {
    key,
    object,
    name,
    selector: object.spec.selector ?? {},
    servers: object.spec.servers.map((server, index) => ({
      gateway: name,
      key,
      path: `spec.servers[${index}]`,
      port: server.port.number,
      protocolName: server.port.protocol,
      protocol: HTTP_PROTOCOLS.has(server.port.protocol.toUpperCase()) ? "http" : "unsupported",
      hosts: server.hosts.map((host) => parseServerHost(host, namespace)),
    })),
  };
});

/** `host`, `namespace/host`, `./host` (the Gateway's own namespace) or `*` for any namespace before the slash. */
function parseServerHost(text: string, ownNamespace: string): ServerHost {
  const slash = text.indexOf("/");
  const host = text.slice(slash + 1).toLowerCase();
  if (slash === -1) return { namespace: "*", host };
  const namespace = text.slice(0, slash);
  return { namespace: namespace === "." ? ownNamespace : namespace, host };
}

/** The hosts of a server that VirtualServices of a namespace may bind to. */
export function hostsFor(server: GatewayServer, namespace: string): readonly string[] {
  return server.hosts
    .filter((host) => host.namespace === "*" || host.namespace === namespace)
    .map(({ host }) => host);
}
