import type { Host } from "../cluster/host.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { CheckSocket } from "./check-socket.ts";
import type { HealthCheckConfig, TcpCheckConfig } from "./health-config.ts";
import type { Probe, ProbeSink } from "./health-session.ts";
import { PayloadMatch } from "./payload-match.ts";

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
    const { send } = this.#check;
    this.#socket ??= this.#connect();
    if (send.length > 0) this.#socket.write(send);
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
    if (this.#check.receive.length > 0) return;
    this.close();
    this.#sink.onSuccess(false);
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
