import { connect } from "node:net";
import { findProgram } from "../../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "../data-plane.ts";
import { MessageReader } from "../wire-message.ts";
import { RecordingUpstream, UNFINISHED } from "./recording-upstream.ts";

/** What a proxy made of some bytes. */
export interface Outcome {
  /** The status of each answer. */
  readonly answers: readonly string[];
  /** Bytes of an answer that was not whole: its first line. */
  readonly rest: string;
  readonly isClosed: boolean;
  /** The requests that the upstream saw. */
  readonly upstream: readonly string[];
}

/** What to send, and whether the second part waits for an answer to the first. */
export interface Exchange {
  readonly parts: readonly string[];
  readonly bad?: { readonly answer: string; readonly ends: boolean };
  readonly quietMs?: number;
}

/** After the last byte so long is waited for more, unless an exchange says otherwise. */
const QUIET_MS = 800;
/** For the first byte it is waited longer: a busy machine must not be taken for a silent proxy. */
const FIRST_FACTOR = 4;

/** One upstream with the listener of one proxy in front of it: one exchange at a time. */
export interface Lane {
  run(exchange: Exchange): Promise<Outcome>;
}

/** A proxy with several lanes, so that exchanges that wait do so side by side. */
export interface LanedProxy {
  readonly lanes: readonly Lane[];
  stop(): Promise<void>;
}

/** Starts weft or Envoy; `undefined` when this machine has no Envoy. */
export async function startLanes(
  which: "weft" | "envoy",
  count: number,
): Promise<LanedProxy | undefined> {
  const program = which === "envoy" ? findProgram("envoy") : undefined;
  if (which === "envoy" && program === undefined) return undefined;
  const upstreams = Array.from({ length: count }, () => new RecordingUpstream());
  const upstreamPorts: number[] = [];
  for (const upstream of upstreams) upstreamPorts.push(await upstream.start());
  const [adminPort = 0, ...ports] = await freePorts(count + 1);
  const bootstrap = createBootstrap(adminPort, ports, upstreamPorts);
  const plane: DataPlane =
    program === undefined
      ? await startWeft(bootstrap)
      : await startEnvoy(program, bootstrap, adminPort);
  return {
    lanes: upstreams.map((upstream, at) => ({
      run: (exchange) => run(ports[at] ?? 0, upstream, exchange),
    })),
    stop: async () => {
      await plane.stop();
      await Promise.all(upstreams.map((upstream) => upstream.stop()));
    },
  };
}

function createBootstrap(
  adminPort: number,
  ports: readonly number[],
  upstreamPorts: readonly number[],
): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: ports.map((port, at) =>
        httpListener(`lane${at}`, port, {
          // Soon enough to be seen as the end that it is.
          delayed_close_timeout: "0.05s",
          route_config: routeTable([
            { match: { prefix: "/" }, route: { cluster: `up${at}`, timeout: "2s" } },
          ]),
        }),
      ),
      clusters: upstreamPorts.map((port, at) => staticCluster(`up${at}`, [port])),
    },
  };
}

async function run(
  port: number,
  upstream: RecordingUpstream,
  { parts, bad, quietMs = QUIET_MS }: Exchange,
): Promise<Outcome> {
  if (bad !== undefined) upstream.bad = bad;
  upstream.takeSeen();
  const reader = new MessageReader("response", []);
  const isClosed = await new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let sent = 1;
    const end = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(closed);
    };
    let timer = setTimeout(() => end(false), quietMs * FIRST_FACTOR);
    socket.write(parts[0] ?? "", "latin1");
    socket.on("data", (bytes: Buffer) => {
      clearTimeout(timer);
      timer = setTimeout(() => end(false), quietMs);
      reader.push(bytes.toString("latin1"));
      const part = parts[sent];
      if (part === undefined || reader.messages.length === 0) return;
      sent++;
      socket.write(part, "latin1");
    });
    socket.on("end", () => end(true));
    socket.on("error", () => end(true));
  });
  reader.end();
  const answers = reader.messages.map(({ line }) => line.split(" ")[1] ?? line);
  const seen = upstream.takeSeen();
  // Whether the head of a request that is refused in its body has left by then is chance.
  const isRefused = answers.at(-1)?.startsWith("4") === true;
  return {
    answers,
    rest: reader.rest.split("\r\n", 1)[0] ?? "",
    isClosed,
    upstream: isRefused ? seen.filter((line) => !line.endsWith(UNFINISHED)) : seen,
  };
}

/** Runs `work` for every item, as many at once as there are lanes. */
export async function inLanes<T>(
  lanes: readonly Lane[],
  items: readonly T[],
  work: (lane: Lane, item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(lane, item);
    }),
  );
}

/**
 * Why weft is laxer than Envoy; `undefined` when it is not: its upstream saw what Envoy's did, or
 * less of it, and where it answers otherwise it refuses. An upstream that is refused ends with its
 * own connection: what comes next on the client's is served.
 */
export function findLaxity(weft: Outcome, envoy: Outcome): string | undefined {
  const other = weft.answers.findIndex((status, at) => status !== envoy.answers[at]);
  const status = weft.answers[other];
  const refuses = status !== undefined && /^[45]/.test(status);
  if (status !== undefined && !refuses) {
    return `the client got ${status}, not ${envoy.answers[other] ?? "anything more"}`;
  }
  for (const [at, seen] of weft.upstream.entries()) {
    if (seen === envoy.upstream[at] || (refuses && at > other)) continue;
    return `the upstream saw ${seen}, not ${envoy.upstream[at] ?? "anything more"}`;
  }
  return undefined;
}
