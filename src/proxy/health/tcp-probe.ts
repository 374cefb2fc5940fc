import type { Host } from "../cluster/host.ts";
import { encodeProxyHeader } from "../net/proxy-header.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { CheckSocket } from "./check-socket.ts";
import type { HealthCheckConfig, TcpCheckConfig } from "./health-config.ts";
import type { Probe, ProbeSink } from "./health-session.ts";
import { PayloadMatch } from "./payload-match.ts";

const NOWHERE = { address: "", port: 0 };

/** Checks that a host takes a connection, or answers over one as it should. */
export class TcpProbe implements Probe {
  readonly #host: Host;
  readonly #config: HealthCheckConfig;
  readonly #check: TcpCheckConfig;
  readonly #buffer: ReadBuffer;
  readonly #sink: ProbeSink;
  readonly #match: PayloadMatch;
  #socket: CheckSocket | undefined = undefined;

  constructor(
    host: Host,
    config: HealthCheckConfig,
    check: TcpCheckConfig,
    buffer: ReadBuffer,
    sink: ProbeSink,
  ) {
    this.#host = host;
    this.#config = config;
    this.#check = check;
    this.#buffer = buffer;
    this.#sink = sink;
    this.#match = new PayloadMatch(check.receive);
  }

  run(): void {
    if (this.#socket === undefined) this.#socket = this.#connect();
    else this.#speak(this.#socket);
  }

  #speak(socket: CheckSocket): void {
    const { proxyHeader, send } = this.#check;
    if (proxyHeader !== undefined) socket.write(encodeHeader(proxyHeader, socket));
    if (send.length > 0) socket.write(send);
  }

  #connect(): CheckSocket {
    this.#match.reset();
    return new CheckSocket(this.#host, this.#config, this.#buffer, {
      onConnect: () => this.#onConnect(),
      onBytes: (buffer, length) => this.#onBytes(buffer, length),
      onEnd: () => {
        this.#socket = undefined;
        this.#sink.onFailure("NETWORK", false, 0);
      },
    });
  }

  /** Where nothing is to be received a connection is all that was asked for. */
  #onConnect(): void {
    if (this.#check.receive.length === 0) {
      this.close();
      this.#sink.onSuccess(false);
    } else if (this.#socket !== undefined) this.#speak(this.#socket);
  }

  #onBytes(buffer: Buffer, length: number): void {
    if (this.#check.receive.length === 0) return;
    this.#match.push(buffer.subarray(0, length));
    if (!this.#match.isWhole) return;
    this.#match.reset();
    if (!this.#config.reusesConnection) this.close();
    this.#sink.onSuccess(false);
  }

  giveUp(): void {
    this.close();
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** The first version names both ends; the second only says that the proxy speaks for itself. */
function encodeHeader(version: "V1" | "V2", { ends }: CheckSocket): Buffer {
  // From here to there, as the check itself goes.
  const names = { remote: ends.local, local: ends.remote };
  const nobody = { remote: NOWHERE, local: NOWHERE };
  return Buffer.from(encodeProxyHeader(version, version === "V1" ? names : nobody), "latin1");
}
