import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { until } from "../controlplane/until.ts";
import { socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { http2Options } from "./http2-cluster.ts";

/** What a server was asked. */
interface Seen {
  readonly headers: IncomingHttpHeaders[];
  readonly bodies: string[];
}

/**
 * What a host that answers so is found to be, and what the first check of it was; `options` are
 * merged into the health check. `isEarly`: the host answers at the head and reads no body.
 */
export async function checkOverHttp2(
  answerOf: (stream: ServerHttp2Stream) => void,
  options: object,
  isEarly = false,
): Promise<Readonly<Record<"weft" | "envoy", unknown>>> {
  const planes = new BothPlanes<"none">();
  const seen: Seen[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const servers = [createServer(), createServer()];
  const connections = [0, 0];
  for (const [at, server] of servers.entries()) {
    const own: Seen = { headers: [], bodies: [] };
    seen.push(own);
    server.on("session", (session) => {
      connections[at] = (connections[at] ?? 0) + 1;
      sessions.add(session);
      session.on("error", () => undefined);
    });
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      own.headers.push({ ...headers });
      if (isEarly) return answerOf(stream);
      let body = "";
      stream.on("data", (bytes: Buffer) => (body += bytes.toString("hex")));
      stream.on("end", () => {
        own.bodies.push(body);
        if (!stream.destroyed) answerOf(stream);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  let next = 0;
  try {
    await planes.start(["none"], (ports) => {
      const place = servers[next++]?.address() as AddressInfo;
      return bootstrap(ports.admin, place.port, options);
    });
    let at = 0;
    const { weft, envoy } = await planes.each(async (plane) => {
      const own = seen[at];
      const stat = (name: string): string => `cluster.up.health_check.${name}`;
      const stats = (): Promise<Readonly<Record<string, number>>> => plane.stats("health_check");
      await until(async () => ((await stats())[stat("attempt")] ?? 0) >= 3, "three checks");
      const all = await stats();
      const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
      const flags = /health_flags::(\S+)/.exec(await page.text())?.[1];
      const { "grpc-timeout": timeout, ...headers } = own?.headers[0] ?? {};
      const failures = (name: string): boolean => (all[stat(name)] ?? 0) > 0;
      return {
        flags,
        headers,
        timeout: String(timeout),
        body: own?.bodies[0],
        isKept: (connections[at++] ?? 0) === 1,
        failed: failures("failure"),
        network: failures("network_failure"),
        succeeded: failures("success"),
      };
    });
    return { weft, envoy };
  } finally {
    await planes.stop();
    for (const session of sessions) session.destroy();
    for (const server of servers) server.close();
  }
}

function bootstrap(admin: number, port: number, options: object): object {
  const health = {
    timeout: "0.5s",
    interval: "0.1s",
    no_traffic_interval: "0.1s",
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    ...options,
  };
  return {
    admin: { address: socketAddress(admin) },
    static_resources: {
      clusters: [staticCluster("up", [port], { ...http2Options(), health_checks: [health] })],
    },
  };
}
