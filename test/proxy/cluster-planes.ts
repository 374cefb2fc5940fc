import { connect, type Socket } from "node:net";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes, destroy, type Plane } from "./both-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

type Planes = BothPlanes<"in">;

/** What a test started, to be closed in the other order. */
export const closers: (() => unknown)[] = [];

/** Closes everything that a test started. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Both proxies with one listener that sends everything to the cluster `up`. */
export async function startPlanes(cluster: object, route: object = {}): Promise<Planes> {
  const both: Planes = new BothPlanes();
  closers.push(() => both.stop());
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up", timeout: "5s", ...route } }];
  await both.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters: [{ ...cluster }],
    },
  }));
  return both;
}

/** An upstream that answers by path. */
export async function startUpstream(
  scripts: Parameters<typeof ScriptedUpstream.start>[0] = {},
): Promise<ScriptedUpstream> {
  const upstream = await ScriptedUpstream.start(scripts);
  closers.push(() => upstream.stop());
  return upstream;
}

/** One request; status, body, and the headers that are about the cluster. */
export async function get(plane: Plane<"in">, path = "/", headers = ""): Promise<string> {
  const text = `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
  const { messages } = await exchangeRaw({ port: plane.ports.in, parts: [text], answers: 1 });
  const [answer] = messages;
  const overloaded = answer?.headers.includes("x-envoy-overloaded: true") === true ? "!" : "";
  return `${answer?.line.split(" ")[1]}${overloaded} ${answer?.body}`;
}

/** Sends a request whose answer nobody waits for. */
export function send(plane: Plane<"in">, path: string): Socket {
  const client = connect(plane.ports.in, "127.0.0.1");
  client.on("error", () => undefined);
  client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  closers.push(() => destroy(client));
  return client;
}

/** These statistics of the cluster. */
export async function stats(
  plane: Plane<"in">,
  names: readonly string[],
): Promise<readonly number[]> {
  const all = await plane.stats("cluster.up.");
  return names.map((name) => all[`cluster.up.${name}`] ?? -1);
}

/** Waits until a statistic of the cluster is that. */
export async function awaitStat(plane: Plane<"in">, name: string, value: number): Promise<void> {
  await until(
    async () => (await stats(plane, [name]))[0] === value,
    `${plane.name}: ${name} to be ${value}`,
  );
}
