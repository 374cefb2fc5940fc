import { createServer, type RequestListener } from "node:http";
import { createPrng } from "../../src/base/prng.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { closers } from "./cluster-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";

/** Upstreams that are known by their index. */
interface Upstreams {
  readonly ports: readonly number[];
  /** Requests since `take`. */
  readonly count: number;
  /** Which of them got the requests of each `x-key`, in order; forgets them. */
  take(): Readonly<Record<string, readonly string[]>>;
}

/** So many upstreams that answer with their index; never when there is no status. */
export async function startUpstreams(
  count: number,
  status: number | undefined,
): Promise<Upstreams> {
  let came: [key: string, name: string][] = [];
  const ports = await Promise.all(
    Array.from({ length: count }, (_, at) =>
      startServer((request, response) => {
        came.push([String(request.headers["x-key"]), String(at)]);
        if (status !== undefined) response.writeHead(status).end(String(at));
      }),
    ),
  );
  return {
    ports,
    get count() {
      return came.length;
    },
    take() {
      const byKey: Record<string, string[]> = {};
      for (const [key, name] of came) (byKey[key] ??= []).push(name);
      came = [];
      return byKey;
    },
  };
}

/** So many upstreams that answer everything with their index. */
export async function startNumbered(count: number): Promise<readonly number[]> {
  return (await startUpstreams(count, 200)).ports;
}

async function startServer(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** An endpoint of 127.0.0.1 as an assignment has it. */
export function endpointOf(
  port: number,
  { endpoint = {}, ...options }: { endpoint?: object; [field: string]: unknown } = {},
): object {
  return { endpoint: { address: socketAddress(port), ...endpoint }, ...options };
}

/** A cluster that hashes, of these localities. */
export function hashCluster(
  name: string,
  localities: readonly object[],
  options: object = {},
): { name: string } {
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    lb_policy: "RING_HASH",
    load_assignment: { cluster_name: name, endpoints: localities },
    ...options,
  } as { name: string };
}

/** Both proxies with one listener: `/<name>` is the way to a cluster. */
export async function startHashing(
  clusters: readonly { name: string }[],
  route: object,
  options: { readonly routes?: readonly object[]; readonly manager?: object } = {},
): Promise<BothPlanes<"in">> {
  const both = new BothPlanes<"in">();
  closers.push(() => both.stop());
  const routes = [
    ...(options.routes ?? []),
    ...clusters.map(({ name }) => ({
      match: { prefix: `/${name}` },
      route: { cluster: name, prefix_rewrite: "/", ...route },
    })),
  ];
  await both.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("in", ports.in, { route_config: routeTable(routes), ...options.manager }),
      ],
      clusters,
    },
  }));
  return both;
}

/** One request as it goes over the wire. */
export function requestOf(path: string, headers: readonly string[] = []): string {
  return [`GET ${path} HTTP/1.1`, "Host: a", ...headers, "", ""].join("\r\n");
}

/** The answers to requests on one connection: status and body. */
export async function askAll(
  plane: Plane<"in">,
  requests: readonly string[],
): Promise<readonly string[]> {
  const { messages } = await exchangeRaw({
    port: plane.ports.in,
    parts: [requests.join("")],
    answers: requests.length,
  });
  return messages.map(({ line, body }) => `${line.split(" ")[1]} ${body}`);
}

/** Texts of every kind, always the same: what requests are hashed by. */
export function keys(count: number): readonly string[] {
  const prng = createPrng(11);
  return Array.from({ length: count }, (_, at) => {
    const length = 1 + Math.floor(prng.next() * 60);
    const text = Array.from({ length }, () =>
      String.fromCharCode(0x21 + Math.floor(prng.next() * 0x5e)),
    );
    return at % 3 === 0 ? `user-${at}` : text.join("").replaceAll(/[,;"\\]/g, "_");
  });
}
