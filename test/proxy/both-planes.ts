import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";

const envoyProgram = findProgram("envoy");

/** How long a peer may take to close. */
const CLOSE_MS_MAX = 5_000;

/** A data plane under test, by the names of its ports. */
export interface Plane<Name extends string> {
  readonly name: "weft" | "envoy";
  readonly ports: Readonly<Record<Name | "admin", number>>;
  /** All statistics whose names contain `filter`. */
  readonly stats: (filter: string) => Promise<Record<string, number>>;
}

/** weft's proxy and, where it is on this machine, Envoy, on one bootstrap but for the ports. */
export class BothPlanes<Name extends string> {
  readonly #running: DataPlane[] = [];
  readonly planes: Plane<Name>[] = [];

  async start(
    names: readonly Name[],
    bootstrap: (ports: Readonly<Record<Name | "admin", number>>) => object,
  ): Promise<void> {
    const weft = await takePorts(names);
    const started = await startWeft(bootstrap(weft));
    this.#running.push(started);
    // Where clusters have to be found first, listeners come after them.
    await until(() => started.proxy.state === "LIVE", "weft to be ready");
    this.planes.push(createPlane("weft", weft));
    if (envoyProgram === undefined) return;
    const envoy = await takePorts(names);
    this.#running.push(await startEnvoy(envoyProgram, bootstrap(envoy), envoy.admin));
    this.planes.push(createPlane("envoy", envoy));
  }

  /** Does the same with each, one after the other; what Envoy did is what weft must do. */
  async each<T>(run: (plane: Plane<Name>) => Promise<T>): Promise<{ weft: T; envoy: T }> {
    const [first, second] = this.planes;
    if (first === undefined) throw new Error("no data plane was started");
    const weft = await run(first);
    return { weft, envoy: second === undefined ? weft : await run(second) };
  }

  async stop(): Promise<void> {
    for (const plane of this.#running.splice(0)) await plane.stop();
  }
}

async function takePorts<Name extends string>(
  names: readonly Name[],
): Promise<Record<Name | "admin", number>> {
  const ports = await freePorts(names.length + 1);
  const pairs = ["admin", ...names].map((name, at) => [name, ports[at]] as const);
  return Object.fromEntries(pairs) as Record<Name | "admin", number>;
}

function createPlane<Name extends string>(
  name: Plane<Name>["name"],
  ports: Plane<Name>["ports"],
): Plane<Name> {
  return {
    name,
    ports,
    async stats(filter) {
      const answer = await fetch(`http://127.0.0.1:${ports.admin}/stats?filter=${filter}`);
      const lines = (await answer.text()).split("\n").filter((line) => /: \d+$/.test(line));
      return Object.fromEntries(
        lines.map((line) => {
          const [stat = "", value] = line.split(": ");
          // Names that hold a port differ from one to the other.
          return [stat.replace(/127\.0\.0\.1_\d+/, "ADDRESS"), Number(value)];
        }),
      );
    },
  };
}

/** What a TCP client got until the end of its connection. */
export interface Conversation {
  readonly got: string;
  /** Whether the other side ended in order, broke it off, or left it open until we gave up. */
  readonly end: "closed" | "reset" | "open";
}

/** How to speak to a peer. */
export interface Speech {
  readonly to: NetConnectOpts;
  /** Latin-1; parts go out one by one. */
  readonly send?: string | readonly string[];
  /** Whether the client ends its side after what it sends. */
  readonly ends?: boolean;
  /** When so much came, the client has enough and does not wait for the end. */
  readonly enough?: string;
}

/** Connects, says something (Latin-1) and listens until the other side closes. */
export async function converse({
  to,
  send = "",
  ends = false,
  enough,
}: Speech): Promise<Conversation> {
  const socket = connect({ allowHalfOpen: true, ...to });
  let got = "";
  let end: Conversation["end"] = "open";
  socket.on("data", (bytes: Buffer) => {
    got += bytes.toString("latin1");
  });
  socket.on("end", () => {
    end = "closed";
  });
  socket.on("error", () => {
    end = "reset";
  });
  for (const part of typeof send === "string" ? [send] : send) {
    if (part === "") continue;
    socket.write(part, "latin1");
    if (part !== send) await new Promise((resolve) => setImmediate(resolve));
  }
  if (ends) socket.end();
  try {
    await until(
      () => end !== "open" || (enough !== undefined && got.includes(enough)),
      "the other side to close",
      CLOSE_MS_MAX,
    );
  } catch {
    // It stays open, which may be what was expected.
  }
  await destroy(socket);
  return { got, end };
}

/** Closes a client and waits until it is gone. */
export async function destroy(socket: Socket): Promise<void> {
  if (socket.closed) return;
  socket.destroy();
  await once(socket, "close");
}
