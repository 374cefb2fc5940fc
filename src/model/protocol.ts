import { suggest } from "../base/suggest.ts";

/**
 * What a port speaks, as far as a proxy treats it differently. `auto` is a port that does not
 * say: HTTP when it is asked for over HTTP, bytes otherwise.
 */
export type Protocol = "http" | "http2" | "grpc" | "grpc-web" | "tcp" | "tls" | "udp" | "auto";

const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: "http",
  http2: "http2",
  h2c: "http2",
  grpc: "grpc",
  "grpc-web": "grpc-web",
  http_proxy: "http",
  https: "tls",
  tls: "tls",
  tcp: "tcp",
  mongo: "tcp",
  mysql: "tcp",
  redis: "tcp",
  udp: "udp",
  // Kubernetes' own words for `appProtocol` (KEP-3726).
  "kubernetes.io/h2c": "http2",
  "kubernetes.io/ws": "http",
  "kubernetes.io/wss": "tls",
};

/** The protocol that a word names, in any case; `undefined` when none does. */
export function parseProtocol(word: string): Protocol | undefined {
  return BY_NAME[word.toLowerCase()];
}

/** The protocol that a word which names none was probably meant to name. */
export function nearestProtocol(word: string): string | undefined {
  return parseProtocol(word) === undefined ? suggest(word, Object.keys(BY_NAME)) : undefined;
}

/** What a port of a Service says about itself. */
export interface PortHints {
  readonly appProtocol?: string;
  readonly name?: string;
  readonly protocol?: string;
  readonly number: number;
}

/** Ports of servers that speak first (and DNS): there is nothing to sniff, they are never taken for HTTP. */
const SERVER_FIRST = new Set([25, 53, 3306, 27_017]);

/** Chooses as Istio does: `appProtocol`, then the port's name up to its first dash, then `auto`. */
export function selectProtocol({ appProtocol, name, protocol, number }: PortHints): Protocol {
  if (protocol?.toUpperCase() === "UDP") return "udp";
  // An unknown `appProtocol` means that the port is not one of ours, whatever its name.
  if (appProtocol !== undefined) return parseProtocol(appProtocol) ?? "auto";
  if (name !== undefined) {
    const named = name.toLowerCase().startsWith("grpc-web")
      ? parseProtocol("grpc-web")
      : parseProtocol(name.split("-", 1)[0] ?? "");
    if (named !== undefined && named !== "udp") return named;
  }
  return SERVER_FIRST.has(number) ? "tcp" : "auto";
}

/** Whether requests to the port can be routed: it speaks HTTP, or may. */
export function isRoutable(protocol: Protocol): boolean {
  return protocol === "auto" || isHttp(protocol);
}

/** Whether the port says that it speaks HTTP in some version. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === "http" || isHttp2(protocol);
}

/** Whether connections to the port start with HTTP/2's preface: what gRPC-Web asks for is gRPC. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === "http2" || protocol === "grpc" || protocol === "grpc-web";
}
