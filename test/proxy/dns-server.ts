import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { freePorts } from "./data-plane.ts";

/** What a name server says of a name. */
export type DnsAnswer =
  | {
      readonly addresses: readonly string[];
      readonly ttlS?: number;
      /** Further names that lead to the addresses, one to the next. */
      readonly through?: readonly string[];
    }
  | Exclude<keyof typeof STATUS, "ok">
  /** Nothing at all. */
  | "silence";

const TYPE_A = 1;
const TYPE_AAAA = 28;
const UDP_BYTES_MAX = 512;
const TYPE_CNAME = 5;
const STATUS = { ok: 0, formerr: 1, servfail: 2, nxdomain: 3, notimp: 4, refused: 5 } as const;

/** A name server on 127.0.0.1, over UDP and, for what does not fit, TCP. */
export class DnsServer {
  readonly #names = new Map<string, DnsAnswer>();
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();
  readonly port: number;
  /** The names asked for, in order, with their type: `A a.test`. */
  readonly questions: string[] = [];

  private constructor(port: number) {
    this.port = port;
    this.#udp = createSocket("udp4");
    this.#udp.on("message", (query, peer) => {
      const answer = this.#answer(query, UDP_BYTES_MAX);
      if (answer !== undefined) this.#udp.send(answer, peer.port, peer.address);
    });
    this.#tcp = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
      let unread = Buffer.alloc(0);
      socket.on("data", (bytes) => {
        unread = Buffer.concat([unread, bytes]);
        // Several may come at once.
        while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
          const end = 2 + unread.readUInt16BE(0);
          const answer = this.#answer(unread.subarray(2, end), Number.POSITIVE_INFINITY);
          unread = unread.subarray(end);
          if (answer === undefined) continue;
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
      });
    });
  }

  static async start(): Promise<DnsServer> {
    const [port = 0] = await freePorts(1);
    const server = new DnsServer(port);
    await new Promise<void>((resolve) => server.#udp.bind(port, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => server.#tcp.listen(port, "127.0.0.1", resolve));
    return server;
  }

  /**
   * From now on that is the answer, perhaps only for one type; a name that was never set does not
   * exist.
   */
  set(name: string, answer: DnsAnswer, type?: "A" | "AAAA"): void {
    this.#names.set(type === undefined ? name : `${type} ${name}`, answer);
  }

  #answer(query: Buffer, bytesMax: number): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const name = labels.join(".").toLowerCase();
    const asked = `${type === TYPE_AAAA ? "AAAA" : "A"} ${name}`;
    this.questions.push(asked);
    const answer = this.#names.get(asked) ?? this.#names.get(name) ?? "nxdomain";
    if (answer === "silence") return undefined;
    if (typeof answer === "string") return message(query, STATUS[answer], question, []);
    const whole = message(query, STATUS.ok, question, records(type, answer));
    if (whole.length <= bytesMax) return whole;
    const cut = message(query, STATUS.ok, question, []);
    // Truncated: ask again over TCP.
    cut[2] = (cut[2] ?? 0) | 0x02;
    return cut;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise((resolve) => this.#tcp.close(resolve));
  }
}

function message(
  query: Buffer,
  status: number,
  question: Buffer,
  answers: readonly Buffer[],
): Buffer {
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | status, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  return Buffer.concat([head, question, ...answers]);
}

/** The records of a name: those of the names that it leads through, and the addresses. */
function records(
  type: number,
  { addresses, ttlS = 60, through = [] }: Exclude<DnsAnswer, string>,
): readonly Buffer[] {
  // The name of the question, which stands at byte 12.
  let owner: Buffer = Buffer.from([0xc0, 12]);
  const aliases = through.map((alias) => {
    const target = encodeName(alias);
    const one = record(owner, TYPE_CNAME, ttlS, target);
    owner = target;
    return one;
  });
  const own = addresses
    .filter((address) => address.includes(":") === (type === TYPE_AAAA))
    .map((address) => {
      const data = type === TYPE_A ? address.split(".").map(Number) : ipv6Bytes(address);
      return record(owner, type, ttlS, Buffer.from(data));
    });
  return type === TYPE_A || type === TYPE_AAAA ? [...aliases, ...own] : [];
}

function encodeName(name: string): Buffer {
  const labels = name.split(".").map((label) => {
    const text = Buffer.from(label, "latin1");
    return Buffer.concat([Buffer.from([text.length]), text]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function record(owner: Buffer, type: number, ttlS: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttlS, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, head, data]);
}

function ipv6Bytes(address: string): number[] {
  const [left = "", right = ""] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(left), groups(right)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 255]);
}
