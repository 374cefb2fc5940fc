import { memoise } from "../base/memo.ts";
import type { Gateway as GatewayObject, GatewayServer as ServerObject } from "../config/gateway.ts";
import { keyOf, type ObjectKey } from "../config/object.ts";
import type { ServerTlsSettings } from "../config/server-tls.ts";
import type { Labels } from "./labels.ts";

/**
 * What a server of a Gateway does: `http` in plain, `https` that it ends, `tls` that it ends for
 * any protocol, `passthrough` by SNI as VirtualServices say, `auto-passthrough` by SNI to every
 * service that its hosts name, `tcp`.
 */
export type ServerKind = "http" | "https" | "tls" | "passthrough" | "auto-passthrough" | "tcp";

/** One Gateway. */
export interface Gateway {
  readonly key: ObjectKey;
  readonly object: GatewayObject;
  /** `namespace/name`, as VirtualServices name it. */
  readonly name: string;
  readonly namespace: string;
  /** Labels of the pods that it configures; empty is every gateway pod. */
  readonly selector: Labels;
  /** Hostnames of the services whose pods it configures, instead of the selector. */
  readonly services: readonly string[] | undefined;
  readonly servers: readonly GatewayServer[];
}

/** One entry of `servers`. */
export interface GatewayServer {
  /** `namespace/name` of the Gateway. */
  readonly gateway: string;
  readonly key: ObjectKey;
  readonly path: string;
  /** As written: a port of the gateway's Service, or of its pods. */
  readonly port: number;
  readonly portName: string;
  /** As written, for messages. */
  readonly protocolName: string;
  readonly kind: ServerKind;
  /** An address, or `unix://` path; "" for every address. */
  readonly bind: string;
  readonly hosts: readonly ServerHost[];
  readonly tls: ServerTlsSettings | undefined;
  /** Every request gets 301 to https. */
  readonly redirectsToHttps: boolean;
}

/** A host that a server takes, and whose VirtualServices may bind to it. */
export interface ServerHost {
  /** A namespace, or `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

/** Names the services of a Gateway's pods, comma-separated (Istio's annotation). */
const GATEWAY_SERVICE = "internal.istio.io/gateway-service";

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
    namespace,
    selector: object.spec.selector ?? {},
    services: object.metadata.annotations?.[GATEWAY_SERVICE]
      ?.split(",")
      .map((hostname) => hostname.trim()),
    servers: object.spec.servers.map((server, index) => ({
      gateway: name,
      key,
      path: `spec.servers[${index}]`,
      port: server.port.number,
      portName: server.port.name,
      protocolName: server.port.protocol,
      kind: kindOf(server),
      bind: server.bind ?? "",
      hosts: server.hosts.map((host) => parseServerHost(host, namespace)),
      tls: server.tls,
      redirectsToHttps: server.tls?.httpsRedirect === true,
    })),
  };
});

function kindOf({ port, tls }: ServerObject): ServerKind {
  const protocol = port.protocol.toUpperCase();
  if (HTTP_PROTOCOLS.has(protocol)) return "http";
  const isTls = protocol === "HTTPS" || protocol === "TLS";
  if (!isTls && tls === undefined) return "tcp";
  if (tls?.mode === "AUTO_PASSTHROUGH") return "auto-passthrough";
  if (tls?.mode === undefined || tls.mode === "PASSTHROUGH") return "passthrough";
  return protocol === "HTTPS" ? "https" : "tls";
}

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
