import type { Clock, Timer } from "../../base/clock.ts";
import type { Host } from "../cluster/host.ts";
import type { BodySink } from "../http/body-sink.ts";
import { dropFraming, responseFraming } from "../http/framing.ts";
import { ResponseHead } from "../http/message-head.ts";
import { BodyReader, FRAMING } from "../http1/body-reader.ts";
import { HeadReader } from "../http1/head-reader.ts";
import { parseResponseHead } from "../http1/parse-head.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { CheckSocket } from "./check-socket.ts";
import type { HealthCheckConfig, HttpCheckConfig } from "./health-config.ts";
import type { Probe } from "./health-session.ts";
import { checkRequest } from "./http-request.ts";
import type { HttpVerdict } from "./http-verdict.ts";

const HEAD_BYTES_MAX = 61_440;

/** What the HTTP probes of one cluster share. */
export interface HttpProbeDeps {
  readonly config: HealthCheckConfig;
  readonly check: HttpCheckConfig;
  readonly buffer: ReadBuffer;
  readonly clock: Clock;
}

/** One connection and what is read from it. */
interface Line {
  readonly socket: CheckSocket;
  readonly heads: HeadReader;
  readonly body: BodyReader;
}

/** Asks a host over HTTP/1.1 how it does: one request at a time, on a connection that is kept. */
export class HttpProbe implements Probe, BodySink {
  readonly #host: Host;
  readonly #deps: HttpProbeDeps;
  readonly #verdict: HttpVerdict;
  readonly #head = new ResponseHead();
  #line: Line | undefined = undefined;
  #idle: Timer | undefined = undefined;
  #isInFlight = false;
  #awaitsHead = false;

  constructor(host: Host, deps: HttpProbeDeps, verdict: HttpVerdict) {
    this.#host = host;
    this.#deps = deps;
    this.#verdict = verdict;
  }

  run(): void {
    this.#idle?.cancel();
    this.#line ??= this.#connect();
    this.#isInFlight = true;
    this.#awaitsHead = true;
    this.#verdict.reset();
    const { check, clock } = this.#deps;
    this.#line.socket.write(checkRequest(this.#host, check, clock));
  }

  #connect(): Line {
    const { config, buffer } = this.#deps;
    const socket = new CheckSocket(this.#host, config, buffer, {
      onConnect: () => undefined,
      onBytes: (bytes, length) => this.#onBytes(bytes, length),
      onEnd: () => this.#onEnd(),
    });
    return { socket, heads: new HeadReader("response"), body: new BodyReader(HEAD_BYTES_MAX) };
  }

  #onBytes(buffer: Buffer, length: number): void {
    for (let at = 0; at < length; ) {
      const line = this.#line;
      if (line === undefined) return;
      if (!this.#isInFlight) at = -1;
      else if (this.#awaitsHead) at = this.#readHead(line, buffer, at, length);
      else at = line.body.read(buffer, at, length, this);
      if (at === -1) return this.#onGarbage();
    }
  }

  /** Where the head ended, `to` when it has not, -1 when it is wrong. */
  #readHead({ heads, body }: Line, buffer: Buffer, from: number, to: number): number {
    const found = heads.read(buffer, from, to, HEAD_BYTES_MAX);
    if (found === "more") return to;
    const head = this.#head;
    const options = this.#host.load.config.connection.responseHeads;
    if (found === "error" || parseResponseHead(heads.text, head, options) !== undefined) return -1;
    const { status } = head;
    if ((status < 200 || status === 204) && !dropFraming(head)) return -1;
    // Nobody asked for another protocol: 101 is an answer like others.
    if (status < 200 && status !== 101) return heads.next;
    this.#awaitsHead = false;
    body.start(this.#framing, head.contentLength);
    if (body.isDone) this.onBodyEnd();
    return heads.next;
  }

  get #framing(): number {
    const head = this.#head;
    return head.status === 101 ? FRAMING.none : responseFraming(head, this.#deps.check.method);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#verdict.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(): void {
    this.#isInFlight = false;
    const line = this.#line;
    if (this.#keepsConnection(line)) this.#limitIdle();
    else this.close();
    this.#verdict.judge(this.#head);
  }

  /** Like every connection of the cluster it is kept for so long only. */
  #limitIdle(): void {
    const { load } = this.#host;
    const { idleTimeoutMs } = load.config.connection;
    if (idleTimeoutMs === 0) return;
    this.#idle = this.#deps.clock.setTimer(idleTimeoutMs, () => {
      load.connectionsIdleTimeout++;
      this.close();
    });
  }

  #keepsConnection(line: Line | undefined): boolean {
    const head = this.#head;
    if (!this.#deps.config.reusesConnection || line === undefined) return false;
    if (this.#framing === FRAMING.untilClose) return false;
    if (head.headers.first("proxy-connection")?.toLowerCase() === "close") return false;
    return head.minor === 1 ? !head.wantsClose : head.wantsKeepAlive;
  }

  /** What came is no answer, or one that nobody asked for. */
  #onGarbage(): void {
    this.#host.load.connectionProtocolErrors++;
    this.#break();
  }

  #onEnd(): void {
    const line = this.#line;
    if (this.#isInFlight && !this.#awaitsHead && line?.body.isUntilClose === true) {
      line.body.finish();
      this.onBodyEnd();
      return;
    }
    // An answer that was cut off is a wrong one; none at all is not.
    const isCutOff = this.#isInFlight && (!this.#awaitsHead || line?.heads.isInside === true);
    if (isCutOff) this.#onGarbage();
    else this.#break();
  }

  #break(): void {
    const wasInFlight = this.#isInFlight;
    this.close();
    if (wasInFlight) this.#verdict.onBroken();
  }

  giveUp(): void {
    this.close();
  }

  close(): void {
    this.#idle?.cancel();
    this.#isInFlight = false;
    this.#line?.socket.close();
    this.#line = undefined;
  }
}
