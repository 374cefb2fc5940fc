import type { GatewayServer, ServerKind } from "../gateway.ts";
import type { ObjectIssue } from "../origin.ts";
import { type PlacedServer, portIssue, serverText } from "./place-servers.ts";

/** All servers that share one port (and address) of a gateway pod; each is as the first decides. */
export interface GatewayPort {
  readonly port: number;
  /** "" for every address. */
  readonly bind: string;
  /** In plain, one server's routes join the others'; with TLS each has a chain of its own. */
  readonly kind: "http" | "tls" | "tcp";
  /** The oldest Gateway's first. */
  readonly servers: readonly GatewayServer[];
}

const PORT_KINDS: Readonly<Record<ServerKind, GatewayPort["kind"]>> = {
  http: "http",
  https: "tls",
  tls: "tls",
  passthrough: "tls",
  "auto-passthrough": "tls",
  tcp: "tcp",
};

/** As Istio calls them in its documentation of what can stand side by side. */
const KIND_NAMES: Readonly<Record<GatewayPort["kind"], string>> = {
  http: "plain HTTP",
  tls: "TLS",
  tcp: "plain TCP",
};

/**
 * Puts servers of one port together, the oldest Gateway's first. Plain HTTP servers share their
 * port, and so do TLS servers whose hosts differ; anything else keeps the first alone, and the
 * others are left out with an issue (https://istio.io/latest/docs/reference/config/networking/gateway/).
 */
export function mergeServers(placed: readonly PlacedServer[]): {
  readonly ports: readonly GatewayPort[];
  readonly issues: readonly ObjectIssue[];
} {
  const ports = new Map<string, { port: number; bind: string; servers: GatewayServer[] }>();
  const issues: ObjectIssue[] = [];
  for (const { server, port } of placed) {
    const key = `${server.bind} ${port}`;
    const there = ports.get(key);
    if (there === undefined) {
      ports.set(key, { port, bind: server.bind, servers: [server] });
      continue;
    }
    const problem = conflict(server, there.servers);
    if (problem === undefined) there.servers.push(server);
    else issues.push(problem);
  }
  const merged = [...ports.values()].map((one) => ({ ...one, kind: kindOfPort(one.servers) }));
  merged.sort((a, b) => a.port - b.port || (a.bind < b.bind ? -1 : 1));
  return { ports: merged, issues };
}

function kindOfPort([first]: readonly GatewayServer[]): GatewayPort["kind"] {
  return first === undefined ? "tcp" : PORT_KINDS[first.kind];
}

function conflict(
  server: GatewayServer,
  others: readonly GatewayServer[],
): ObjectIssue | undefined {
  const [first] = others;
  if (first === undefined) return undefined;
  const kind = PORT_KINDS[server.kind];
  const there = kindOfPort(others);
  const older = `${serverText(first)}, which comes first`;
  if (kind !== there) {
    const message = `${server.port} is ${KIND_NAMES[there]} in ${older}: a server of ${KIND_NAMES[kind]} cannot share it and is left out`;
    return portIssue(server, message);
  }
  if (kind === "tcp") {
    return portIssue(
      server,
      `${server.port} is taken by ${older}: TCP servers cannot share a port`,
    );
  }
  return kind === "tls" ? sniConflict(server, others) : undefined;
}

/** Two servers for one name could not be told apart; that of the first decides. */
function sniConflict(
  server: GatewayServer,
  others: readonly GatewayServer[],
): ObjectIssue | undefined {
  for (const [index, { host }] of server.hosts.entries()) {
    const older = others.find(({ hosts }) => hosts.some((one) => one.host === host));
    if (older === undefined) continue;
    const message = `"${host}" is served on this port by ${serverText(older)}, which comes first: the server is left out`;
    const path = `${server.path}.hosts[${index}]`;
    return { object: server.key, issue: { path, message, severity: "warning" } };
  }
  return undefined;
}

/**
 * The name of the route configuration of a server on a port of the pod, as Istio has it: one for
 * all plain HTTP servers of the port, one for each server that ends TLS.
 */
export function routeName(server: GatewayServer, { port, bind, kind }: GatewayPort): string {
  const suffix = bind === "" ? "" : `.${bind}`;
  if (kind === "http") return `http.${port}${suffix}`;
  const [namespace, name] = server.gateway.split("/");
  return `https.${server.port}.${server.portName}.${name}.${namespace}${suffix}`;
}
