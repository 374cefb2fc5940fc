import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import {
  adoptServer,
  formatListenAddress,
  type ListenAddress,
  OWN_SOCKETS,
  type SocketSource,
} from "../listener/listen-address.ts";
import type { Stat } from "../stats/collect.ts";
import { PeerChannel } from "./peer-channel.ts";
import { openUnixChannel } from "./unix-channel.ts";

/** What two processes must have alike to hand over; changes with the messages between them. */
export const HOT_RESTART_VERSION = "weft.2";

/** How long the process before may take to take a connection. */
const CONNECT_MS_MAX = 5_000;

/** What a new process asks the one before it. */
type Ask =
  | { readonly kind: "hello"; readonly version: string; readonly epoch: number }
  | { readonly kind: "socket"; readonly address: string }
  | { readonly kind: "closeAdmin" }
  | { readonly kind: "stats" }
  | { readonly kind: "drain" }
  /** Nobody listens to it any more: it ends by itself, after so long at the latest. */
  | { readonly kind: "alone"; readonly ms: number }
  | { readonly kind: "end" };

/** What the process before says when it ends by itself: its last numbers. */
interface Goodbye {
  readonly stats: readonly Stat[];
}

/** What the process before says of itself. */
interface Welcome {
  /** When the first of all processes began, by the calendar. */
  readonly firstStartMs: number;
  /** The addresses that it listens on, and that it can hand over. */
  readonly addresses: readonly string[];
}

/** Where the process of an epoch waits for the next; a file, as no abstract socket has an owner. */
export function hotRestartPath(socketPath: string, baseId: number, epoch: number): string {
  return `${socketPath}_${baseId}_${epoch}`;
}

/** The process before this one, which serves until this one does. */
export class ParentProcess {
  readonly #channel: PeerChannel<Ask, Goodbye>;
  readonly #welcome: Welcome;
  #stats: readonly Stat[] = [];
  /** Whether it has ended, or was left alone. */
  isGone = false;

  private constructor(channel: PeerChannel<Ask, Goodbye>, welcome: Welcome) {
    this.#channel = channel;
    this.#welcome = welcome;
  }

  /** Rejects when nobody waits there, or when it will not hand over. */
  static async meet(path: string, epoch: number, clock: Clock): Promise<ParentProcess> {
    const socket = await connectTo(path, clock);
    let parent: ParentProcess | undefined;
    const channel = new PeerChannel<Ask, Goodbye>(
      openUnixChannel(socket),
      clock,
      ({ stats }) => {
        if (parent !== undefined) parent.#take(stats);
        return DONE;
      },
      () => {
        if (parent !== undefined) parent.#onEnd();
      },
    );
    const hello: Ask = { kind: "hello", version: HOT_RESTART_VERSION, epoch };
    const { body } = await channel.ask(hello);
    parent = new ParentProcess(channel, body as Welcome);
    return parent;
  }

  get firstStartMs(): number {
    return this.#welcome.firstStartMs;
  }

  /** What it has counted since this process came, and what it has in use. */
  get stats(): readonly Stat[] {
    return this.#stats;
  }

  /** Sockets that it listens on come from there, others from the system. */
  readonly sockets: SocketSource = {
    isHeld: (address) => this.#welcome.addresses.includes(formatListenAddress(address)),
    open: (address, backlog, onConnection) => this.#open(address, backlog, onConnection),
  };

  async #open(
    address: ListenAddress,
    backlog: number,
    onConnection: (socket: Socket) => void,
  ): Promise<Server> {
    if (this.sockets.isHeld(address)) {
      const asked: Ask = { kind: "socket", address: formatListenAddress(address) };
      // When it is gone meanwhile the address is free.
      const { server } = await this.#channel.ask(asked).catch(() => NO_SERVER);
      if (server !== undefined) return adoptServer(server, backlog, onConnection);
    }
    return OWN_SOCKETS.open(address, backlog, onConnection);
  }

  /** Its admin port can be bound then. */
  async closeAdmin(): Promise<void> {
    await this.#channel.ask({ kind: "closeAdmin" });
  }

  /** Asks for its numbers; when it is gone the last ones stay. */
  async refresh(): Promise<void> {
    const answer = await this.#channel.ask({ kind: "stats" }).catch(() => undefined);
    if (answer !== undefined) this.#take(answer.body as readonly Stat[]);
  }

  #take(stats: readonly Stat[]): void {
    const open = stats.filter(({ name }) => name === "server.total_connections");
    this.#stats = [...stats, ...open.map((one) => ({ ...one, name: "server.parent_connections" }))];
  }

  /** This process serves: that one accepts no more. */
  async drain(): Promise<void> {
    await this.#channel.ask({ kind: "drain" }).catch(() => undefined);
  }

  /** It goes on draining for so long at most, and says nothing more; what it counts from now on is lost. */
  async leaveAlone(ms: number): Promise<void> {
    await this.refresh();
    await this.#channel.ask({ kind: "alone", ms }).catch(() => undefined);
    this.close();
    // The end of a channel is told in a later turn, which must not be taken for that of the next one.
    await new Promise(setImmediate);
  }

  /** That process ends now, whatever it still has. */
  async end(): Promise<void> {
    await this.refresh();
    await this.#channel.ask({ kind: "end" }).catch(() => undefined);
  }

  /** What it had in use is gone with it; what it counted stays. */
  #onEnd(): void {
    this.isGone = true;
    this.#stats = this.#stats.filter(({ isGauge }) => !isGauge);
  }

  close(): void {
    this.#channel.close();
  }
}

const NO_SERVER = { server: undefined };

function connectTo(path: string, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    // What the other process sends is for the channel to read.
    socket.pause();
    const timer = clock.setTimer(CONNECT_MS_MAX, () => {
      socket.destroy(new Error("it takes no connection"));
    });
    socket.once("error", (error) => {
      timer.cancel();
      reject(new Error(`no process to take over from at ${path}: ${error.message}`));
    });
    socket.once("connect", () => {
      timer.cancel();
      resolve(socket);
    });
  });
}

/** What the process before does for the new one. */
export interface HandOver {
  readonly epoch: number;
  readonly firstStartMs: number;
  readonly addresses: () => readonly string[];
  readonly share: (address: string) => Server | undefined;
  readonly closeAdmin: () => Promise<void>;
  readonly openAdmin: () => Promise<void>;
  /** A new process is there: what `stats` says is counted from now on. */
  readonly onArrival: () => Promise<void>;
  readonly stats: () => Promise<readonly Stat[]>;
  /** The new process serves: accept no more, and let connections end. */
  readonly onDrain: () => void;
  /** Nobody will say when this is to end: after so long, or, without a word of the new process, as it was started. */
  readonly onAlone: (ms?: number) => void;
  readonly onEnd: () => void;
  /** Whether the process before this one, if any, no longer needs its channel. */
  readonly releaseParent: () => Promise<boolean>;
}

/** Waits for the next process, and hands over to it. */
export class HotRestartPoint {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #handOver: HandOver;
  readonly #server: Server;
  #channel: PeerChannel<Goodbye, Ask> | undefined = undefined;
  #isMeeting = false;
  #hasClosedAdmin = false;
  #isDraining = false;
  #isAlone = false;

  private constructor(path: string, clock: Clock, handOver: HandOver) {
    this.#path = path;
    this.#clock = clock;
    this.#handOver = handOver;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => void this.#meet(socket));
  }

  /** Rejects when another process has that place already. */
  static async open(path: string, clock: Clock, handOver: HandOver): Promise<HotRestartPoint> {
    await makePrivate(dirname(path));
    if (await HotRestartPoint.isTaken(path, clock)) {
      throw new Error(
        `another process waits at ${path}: start with --restart-epoch one higher to take over from it, or with another --base-id`,
      );
    }
    await rm(path, { force: true });
    const point = new HotRestartPoint(path, clock, handOver);
    await new Promise<void>((resolve, reject) => {
      point.#server.once("error", (error) =>
        reject(new Error(`cannot bind ${path}: ${error.message}`)),
      );
      point.#server.listen(path, resolve);
    });
    point.#server.unref();
    await chmod(path, 0o600);
    return point;
  }

  /** Whether a process waits there. */
  static async isTaken(path: string, clock: Clock): Promise<boolean> {
    try {
      (await connectTo(path, clock)).destroy();
      return true;
    } catch {
      return false;
    }
  }

  async #meet(socket: Socket): Promise<void> {
    socket.on("error", () => undefined);
    // The one that is there comes first; this one hears the end of its connection.
    if (this.#channel !== undefined || this.#isMeeting) return void socket.destroy();
    this.#isMeeting = true;
    try {
      if (!(await this.#handOver.releaseParent())) throw new Error("it has not taken over yet");
      const onEnd = (): void => this.#onPeerEnd();
      this.#channel = new PeerChannel<Goodbye, Ask>(
        openUnixChannel(socket),
        this.#clock,
        (ask) => this.#answer(ask),
        onEnd,
      );
    } catch {
      socket.destroy();
    } finally {
      this.#isMeeting = false;
    }
  }

  async #answer(ask: Ask): Promise<{ body: unknown; server?: Server | undefined }> {
    const own = this.#handOver;
    switch (ask.kind) {
      case "hello":
        return { body: await this.#welcome(ask) };
      case "socket":
        return { body: undefined, server: own.share(ask.address) };
      case "closeAdmin":
        this.#hasClosedAdmin = true;
        await own.closeAdmin();
        return DONE;
      case "stats":
        return { body: await own.stats() };
      case "drain":
        this.#isDraining = true;
        own.onDrain();
        return DONE;
      case "alone":
        this.#isAlone = true;
        own.onAlone(ask.ms);
        return DONE;
      case "end":
        own.onEnd();
        return DONE;
    }
  }

  async #welcome({ version, epoch }: Extract<Ask, { kind: "hello" }>): Promise<Welcome> {
    const own = this.#handOver;
    if (version !== HOT_RESTART_VERSION) {
      throw new Error(
        `cannot hand over from ${HOT_RESTART_VERSION} to ${version}: stop it instead`,
      );
    }
    if (epoch !== own.epoch + 1) {
      throw new Error(`--restart-epoch ${epoch} does not follow on ${own.epoch}`);
    }
    await own.onArrival();
    return { firstStartMs: own.firstStartMs, addresses: own.addresses() };
  }

  /** A new process that went before it served changes nothing. */
  #onPeerEnd(): void {
    this.#channel = undefined;
    if (this.#isDraining) {
      if (!this.#isAlone) this.#handOver.onAlone();
      return;
    }
    if (!this.#hasClosedAdmin) return;
    this.#hasClosedAdmin = false;
    void this.#handOver.openAdmin();
  }

  /** Leaves its last numbers to the new process. */
  async sayGoodbye(): Promise<void> {
    const stats = await this.#handOver.stats();
    await this.#channel?.ask({ stats }).catch(() => undefined);
  }

  /** Ends the channel too; the file goes. */
  async close(): Promise<void> {
    this.#channel?.close();
    // The connection whose descriptor became the channel's never tells its server of its end.
    this.#server.close();
    await rm(this.#path, { force: true });
  }
}

const DONE = { body: undefined };

/** Whoever may connect there gets the listening sockets. */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new Error(
      `${folder} can be written by others: give --socket-path in a folder of this user alone`,
    );
  }
}
