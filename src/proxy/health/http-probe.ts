import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import type { BodySink } from "../http/body-sink.ts";
import { dropFraming, responseFraming } from "../http/framing.ts";
import { ResponseHead } from "../http/message-head.ts";
import { BodyReader, FRAMING } from "../http1/body-reader.ts";
import { HeadReader } from "../http1/head-reader.ts";
import { parseResponseHead } from "../http1/parse-head.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { CheckSocket } from "./check-socket.ts";
import type { HealthCheckConfig, HttpCheckConfig, StatusRange } from "./health-config.ts";
import type { HealthStats, Probe, ProbeSink } from "./health-session.ts";
import { checkRequest } from "./http-request.ts";
import { IMMEDIATE_FAIL } from "./immediate-fail.ts";
import { PayloadMatch } from "./payload-match.ts";

const HEAD_BYTES_MAX = 61_440;
const DEGRADED = "x-envoy-degraded";
const SERVICE = "x-envoy-upstream-healthchecked-cluster";

/** What the HTTP probes of one cluster share. */
export interface HttpProbeDeps {
  readonly config: HealthCheckConfig;
  readonly check: HttpCheckConfig;
  readonly buffer: ReadBuffer;
  readonly stats: HealthStats;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
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
  readonly #sink: ProbeSink;
  readonly #head = new ResponseHead();
  readonly #match: PayloadMatch;
  #line: Line | undefined = undefined;
  #idle: Timer | undefined = undefined;
  #isInFlight = false;
  #awaitsHead = false;
  #bodyBytes = 0;

  constructor(host: Host, deps: HttpProbeDeps, sink: ProbeSink) {
    this.#host = host;
    this.#deps = deps;
    this.#sink = sink;
    this.#match = new PayloadMatch(deps.check.receive);
  }

  run(): void {
    this.#idle?.cancel();
    this.#line ??= this.#connect();
    this.#isInFlight = true;
    this.#awaitsHead = true;
    this.#bodyBytes = 0;
    this.#match.reset();
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
    const { receive, bodyBytesMax } = this.#deps.check;
    if (receive.length === 0) return;
    const left = bodyBytesMax === 0 ? to - from : bodyBytesMax - this.#bodyBytes;
    const end = Math.min(to, from + left);
    this.#bodyBytes += end - from;
    if (end > from) this.#match.push(buffer.subarray(from, end));
  }

  onBodyEnd(): void {
    this.#isInFlight = false;
    const line = this.#line;
    if (this.#keepsConnection(line)) this.#limitIdle();
    else this.close();
    this.#judge();
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

  #judge(): void {
    const { check, stats } = this.#deps;
    const { status, headers } = this.#head;
    if (!this.#match.isWhole || !isWithin(check.expected, status)) {
      // What it says of itself in an answer that is as it should be does not count.
      if (headers.has(IMMEDIATE_FAIL)) {
        this.#host.setFlag(HEALTH_FLAG.excludedViaImmediateHcFail, true);
      }
      const isRetriable = this.#match.isWhole && isWithin(check.retriable, status);
      this.#sink.onFailure("ACTIVE", isRetriable, status);
      return;
    }
    const { serviceName } = check;
    if (serviceName !== undefined && this.#verifiesName()) {
      stats.verify_cluster++;
      if (!serviceName(headers.first(SERVICE) ?? "")) {
        this.#sink.onFailure("ACTIVE", false, status);
        return;
      }
    }
    this.#sink.onSuccess(headers.has(DEGRADED));
  }

  /** An operator may turn it off, or say how often it is done. */
  #verifiesName(): boolean {
    const { prng, runtime } = this.#deps;
    const share = runtime.share("health_check.verify_cluster") ?? 1;
    return share === 1 || prng.next() < share;
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
    if (wasInFlight) this.#sink.onFailure("NETWORK", false, 0);
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

function isWithin(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}
