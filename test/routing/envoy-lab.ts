import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import {
  type AddressInfo,
  connect,
  createServer,
  isIPv6,
  type Server,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import { EnvoyProcess } from "../controlplane/envoy-process.ts";
import { until } from "../controlplane/until.ts";
import { type Call, completeCall, type FullCall } from "./call.ts";
import { chooseListener } from "./choose-listener.ts";
import { type LabRecord, labBootstrap } from "./lab-bootstrap.ts";
import { createLabCertificate, type LabCertificate } from "./lab-certificate.ts";
import { type ProxyResources, readResources } from "./proxy-resources.ts";

/** How long a connection may last that nobody ends; what it came to is known long before. */
const CALL_MS_MAX = 2000;

/** What is asked for where the call names no host: HTTP/2 does not go without. */
const NO_HOST = "nobody.invalid";

/** The source port of the first call; they tell calls apart in the log. */
const CALL_PORT_FIRST = 20_000;

/** A real Envoy with a proxy's configuration, on this machine alone; its owner stops it. */
export class EnvoyLab {
  readonly #resources: ProxyResources;
  readonly #envoy: EnvoyProcess;
  readonly #server: Server;
  readonly #certificate: LabCertificate;
  readonly #folder: string;
  readonly #logFile: string;
  readonly #ports = new Map<string, number>();
  #calls = 0;

  private constructor(parts: {
    readonly resources: ProxyResources;
    readonly envoy: EnvoyProcess;
    readonly server: Server;
    readonly certificate: LabCertificate;
    readonly folder: string;
    readonly logFile: string;
  }) {
    this.#resources = parts.resources;
    this.#envoy = parts.envoy;
    this.#server = parts.server;
    this.#certificate = parts.certificate;
    this.#folder = parts.folder;
    this.#logFile = parts.logFile;
  }

  /** Starts Envoy; throws what it says when it refuses the configuration. */
  static async start(program: string, dump: SnapshotJson): Promise<EnvoyLab> {
    const certificate = await createLabCertificate();
    const server = createServer(answer);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port: upstreamPort } = server.address() as AddressInfo;
    const folder = mkdtempSync(join(tmpdir(), "weft-lab-"));
    const logFile = join(folder, "access.log");
    const bootstrap = labBootstrap(dump, { upstreamPort, logFile, certificate });
    try {
      const envoy = await EnvoyProcess.startWith(program, bootstrap);
      const resources = readResources(dump);
      return new EnvoyLab({ resources, envoy, server, certificate, folder, logFile });
    } catch (error) {
      server.close();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /** What Envoy wrote of a call, the most telling record; `undefined` where nobody listens. */
  async call(given: Call): Promise<LabRecord | undefined> {
    const call = completeCall(given);
    const listener = this.#entry(call);
    if (listener === undefined) return undefined;
    const from = CALL_PORT_FIRST + this.#calls++;
    const port = this.#ports.get(listener) ?? (await this.#envoy.listenerPort(listener));
    this.#ports.set(listener, port);
    const socket = connect(port, "127.0.0.1");
    // Resets are how Envoy refuses; the log says why.
    socket.on("error", () => undefined);
    const timer = setTimeout(() => socket.destroy(), CALL_MS_MAX);
    try {
      socket.write(proxyHeader(call, from));
      this.#speak(call, socket);
      await new Promise((resolve) => socket.once("close", resolve));
    } finally {
      clearTimeout(timer);
    }
    return until(() => this.#recordOf(from), `what Envoy says of ${JSON.stringify(given)}`);
  }

  async stop(): Promise<void> {
    await this.#envoy.stop();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true });
  }

  /** The listener whose socket takes the connection: those of captured traffic hand it on. */
  #entry(call: FullCall): string | undefined {
    const { listeners } = this.#resources;
    const capturing = call.mode === "inbound" ? "virtualInbound" : "virtualOutbound";
    const chosen = chooseListener(listeners, call);
    // One with a socket of its own, which the laboratory has moved, is reached by that.
    const isHandedOn = chosen?.bindToPort === false;
    const isCaptured = listeners.some(({ name }) => name === capturing);
    return isCaptured && (isHandedOn || chosen === undefined) ? capturing : chosen?.name;
  }

  #speak(call: FullCall, socket: Socket): void {
    if (call.tls === "plaintext") return speakPlain(call, socket);
    const { certificate, privateKey } = this.#certificate;
    const tls = connectTls({
      socket,
      rejectUnauthorized: false,
      ...(call.sni === "" ? {} : { servername: call.sni }),
      ...(call.alpn === "" ? {} : { ALPNProtocols: call.alpn.split(",") }),
      ...(call.tls === "mtls" ? { cert: certificate, key: privateKey } : {}),
    });
    tls.on("error", () => socket.destroy());
    tls.on("secureConnect", () => speakPlain(call, tls));
  }

  /** The record of a call, once its connection is over, which is what is written last. */
  #recordOf(from: number): LabRecord | undefined {
    if (!existsSync(this.#logFile)) return undefined;
    const lines = readFileSync(this.#logFile, "utf8").split("\n").slice(0, -1);
    const records = lines
      .map((line) => JSON.parse(line) as LabRecord)
      .filter(({ call }) => call === from);
    const connection = records.find(({ layer }) => layer === "connection");
    if (connection === undefined) return undefined;
    return records.find(({ layer }) => layer !== "connection") ?? connection;
  }
}

/** An upstream that answers anything at once, in HTTP, and hangs up. */
function answer(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.once("data", () =>
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nlab"),
  );
  socket.resume();
}

function proxyHeader({ from, address, port }: FullCall, fromPort: number): string {
  const [family, source] = isIPv6(address) ? ["TCP6", "fd00::5"] : ["TCP4", from];
  return `PROXY ${family} ${source} ${address} ${fromPort} ${port}\r\n`;
}

function speakPlain(call: FullCall, stream: Duplex): void {
  switch (call.protocol) {
    case "http":
      stream.write(http1Request(call));
      break;
    case "http2":
      return speakHttp2(call, stream);
    case "tcp":
      // No HTTP inspector takes it for HTTP.
      stream.write("\u0001lab\r\n\r\n");
  }
  // Envoy would wait a second for whoever does not hang up.
  stream.once("data", () => stream.destroy());
}

function http1Request({ method, path, host, headers }: FullCall): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\nhost: ${host || NO_HOST}\r\nconnection: close\r\n${lines.join("")}\r\n`;
}

function speakHttp2({ method, path, host, headers }: FullCall, stream: Duplex): void {
  const session = connectHttp2("http://lab", { createConnection: () => stream });
  session.on("error", () => stream.destroy());
  const request = session.request({
    ":method": method,
    ":path": path,
    ":authority": host || NO_HOST,
    ...headers,
  });
  request.on("error", () => undefined);
  request.on("close", () => session.destroy());
  request.resume();
}
