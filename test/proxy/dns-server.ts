import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { freePorts } from "./data-plane.ts";

/** What a name server says of a name. */
export type DnsAnswer =
  | { readonly addresses: readonly string[]; readonly ttlS?: number }
  | "nxdomain"
  | "servfail"
  /** Nothing at all. */
  | "silence";

const TYPE_A = 1;
const TYPE_AAAA = 28;
const UDP_BYTES_MAX = 512;
const STATUS = { ok: 0, servfail: 2, nxdomain: 3 } as const;

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
      socket.on("data", (bytes) => {
        const answer = this.#answer(bytes.subarray(2), Number.POSITIVE_INFINITY);
        if (answer === undefined) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
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

  /** From now on that is the answer; a name that was never set does not exist. */
  set(name: string, answer: DnsAnswer): void {
    this.#names.set(name, answer);
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
    this.questions.push(`${type === TYPE_AAAA ? "AAAA" : "A"} ${name}`);
    const answer = this.#names.get(name) ?? "nxdomain";
    if (answer === "silence") return undefined;
    if (typeof answer === "string") return message(query, STATUS[answer], question, []);
    const records = answer.addresses
      .filter((address) => address.includes(":") === (type === TYPE_AAAA))
      .map((address) => record(type, address, answer.ttlS ?? 60));
    const whole = message(
      query,
      STATUS.ok,
      question,
      type === TYPE_A || type === TYPE_AAAA ? records : [],
    );
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
  records: readonly Buffer[],
): Buffer {
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | status, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question, ...records]);
}

/** A record whose name is that of the question. */
function record(type: number, address: string, ttlS: number): Buffer {
  const data = type === TYPE_A ? address.split(".").map(Number) : ipv6Bytes(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, Buffer.from(data)]);
}

function ipv6Bytes(address: string): number[] {
  const [left = "", right = ""] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(left), groups(right)];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 255]);
}
