import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { socketAddress } from "./bootstrap-json.ts";

/** Longest wait for the answers of one case. */
const ANSWERS_MS_MAX = 60_000;
/** Requests that go out at once. */
const PIPELINED = 50;

/** Upstreams that answer every request with their own number, from 0. */
export class NumberedHosts {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly ports: number[] = [];

  static async start(count: number): Promise<NumberedHosts> {
    const hosts = new NumberedHosts();
    for (let number = 0; number < count; number++) await hosts.#listen(String(number));
    return hosts;
  }

  async #listen(body: string): Promise<void> {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const failure = `HTTP/1.1 500 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      let rest = "";
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes: Buffer) => {
        const heads = `${rest}${bytes.toString("latin1")}`.split("\r\n\r\n");
        rest = heads.pop() ?? "";
        for (const head of heads) {
          socket.write(failsHere(head, body) ? failure : answer);
        }
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#servers.push(server);
    const address = server.address();
    this.ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, "close");
    }
  }
}

/** `x-fail` names the hosts that answer 500, with commas between them. */
function failsHere(head: string, body: string): boolean {
  const [, named = ""] = /^x-fail: (.*)$/im.exec(head) ?? [];
  return named.split(",").includes(body);
}

/** Sends so many requests over one connection; how many of each answer came. */
export async function countAnswers(
  port: number,
  path: string,
  count: number,
  headers = "",
  pipelined = PIPELINED,
): Promise<Readonly<Record<string, number>>> {
  const socket = connect(port, "127.0.0.1");
  const counts: Record<string, number> = {};
  const request = `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
  let sent = 0;
  let got = 0;
  let failures = 0;
  let rest = "";
  const send = (): void => {
    // Envoy closes a connection that sends more before it has its own answer to one.
    const batch = failures > 0 ? 1 : pipelined;
    const next = Math.min(sent === 0 ? 1 : batch, count - sent);
    sent += next;
    socket.write(request.repeat(next));
  };
  const take = (): boolean => {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = rest.slice(0, end);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (rest.length < end + 4 + length) return false;
    const body = rest.slice(end + 4, end + 4 + length);
    const status = head.split(" ")[1] ?? "";
    if (status !== "200") failures++;
    const name = status === "200" ? body : `${status} ${body}`;
    counts[name] = (counts[name] ?? 0) + 1;
    rest = rest.slice(end + 4 + length);
    got++;
    return true;
  };
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${path}: ${got} of ${count} answers`)),
      ANSWERS_MS_MAX,
    );
    const end = (error?: Error): void => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on("error", end);
    socket.on("close", () => end(new Error(`${path}: closed after ${got} of ${count} answers`)));
    socket.on("data", (bytes: Buffer) => {
      rest += bytes.toString("latin1");
      while (take());
      if (got >= count) end();
      else if (got >= sent) send();
    });
    send();
  });
  socket.destroy();
  return counts;
}

/** One host of a cluster: which of the numbered, and what is said of it. */
export interface HostSpec {
  readonly host: number;
  readonly health?: "UNHEALTHY" | "DEGRADED" | "DRAINING" | "TIMEOUT";
  readonly weight?: number;
  readonly metadata?: object;
}

/** The hosts of one locality and priority. */
export interface PlaceSpec {
  readonly zone?: string;
  readonly priority?: number;
  readonly weight?: number;
  readonly hosts: readonly HostSpec[];
}

/** Hosts by their first number, and how many of them are healthy, degraded and unhealthy. */
export function hostsOf(
  first: number,
  healthy: number,
  degraded = 0,
  unhealthy = 0,
): readonly HostSpec[] {
  return Array.from({ length: healthy + degraded + unhealthy }, (_, at) => {
    const host = first + at;
    if (at < healthy) return { host };
    return { host, health: at < healthy + degraded ? "DEGRADED" : "UNHEALTHY" } as const;
  });
}

/** A load assignment in Envoy's JSON. */
export function assignmentOf(
  name: string,
  places: readonly PlaceSpec[],
  ports: readonly number[],
  policy?: object,
): object {
  return {
    cluster_name: name,
    endpoints: places.map(({ zone, priority = 0, weight, hosts }) => ({
      ...(zone === undefined ? {} : { locality: { region: "r", zone } }),
      priority,
      ...(weight === undefined ? {} : { load_balancing_weight: weight }),
      lb_endpoints: hosts.map((spec) => ({
        endpoint: { address: socketAddress(ports[spec.host] ?? 0) },
        ...(spec.health === undefined ? {} : { health_status: spec.health }),
        ...(spec.weight === undefined ? {} : { load_balancing_weight: spec.weight }),
        ...(spec.metadata === undefined
          ? {}
          : { metadata: { filter_metadata: { "envoy.lb": spec.metadata } } }),
      })),
    })),
    ...(policy === undefined ? {} : { policy }),
  };
}
