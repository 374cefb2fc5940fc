import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import { formatGrpcTimeout } from "../../match/grpc-timeout.ts";
import { wireText } from "../../match/wire-text.ts";
import type { Host } from "../cluster/host.ts";
import type { CounterGroups } from "../counters.ts";
import type { HeaderList } from "../http/header-list.ts";
import { applyMutations } from "../http/header-mutation.ts";
import { RequestHead, ResponseHead } from "../http/message-head.ts";
import { CODE } from "../http2/frame.ts";
import { Http2Stream, type RequestLine, type StreamHandler } from "../http2/http2-stream.ts";
import { Http2Session, type SessionOwner } from "../http2/session.ts";
import { ByteSender } from "../net/byte-sender.ts";
import type { Deadlines } from "../net/deadlines.ts";
import type { FlushQueue } from "../net/flush-queue.ts";
import type { ReadBuffer } from "../net/socket.ts";
import { http2Counters } from "../stats/http2-stats.ts";
import { CheckSocket } from "./check-socket.ts";
import type { GrpcCheckConfig, HealthCheckConfig } from "./health-config.ts";
import type { Probe, ProbeSink } from "./health-session.ts";
import { checkStreamInfo } from "./http-request.ts";

/** What the gRPC probes of one cluster share. */
export interface GrpcProbeDeps {
  readonly config: HealthCheckConfig;
  readonly check: GrpcCheckConfig;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly counters: CounterGroups;
  readonly readBuffer: ReadBuffer;
  readonly flushQueue: FlushQueue;
  readonly deadlines: Deadlines;
}

/** A gRPC message has its length before it, and whether it is compressed. */
const PREFIX_BYTES = 5;
/** An answer has no more than one number. */
const ANSWER_BYTES_MAX = 1024;
/** `HealthCheckResponse.SERVING`. */
const SERVING = 1;

/** One connection, and whether another check may go over it. */
interface Line {
  readonly socket: CheckSocket;
  session: Http2Session | undefined;
  isRefusing: boolean;
}

/** Asks a host by `grpc.health.v1.Health.Check` how it does, on a connection that is kept. */
export class GrpcProbe implements Probe, SessionOwner, StreamHandler<ResponseHead> {
  readonly head = new ResponseHead();
  readonly #host: Host;
  readonly #deps: GrpcProbeDeps;
  readonly #sink: ProbeSink;
  readonly #stream = new Http2Stream<ResponseHead>(this);
  readonly #request: Buffer;
  #line: Line | undefined = undefined;
  #isInFlight = false;
  #answer: Buffer = EMPTY;

  constructor(host: Host, deps: GrpcProbeDeps, sink: ProbeSink) {
    this.#host = host;
    this.#deps = deps;
    this.#sink = sink;
    this.#request = encodeRequest(deps.check.serviceName);
  }

  run(): void {
    this.#isInFlight = true;
    this.#answer = EMPTY;
    if (this.#line?.session === undefined) this.#line = this.#connect();
    else this.#ask(this.#line.session);
  }

  #connect(): Line {
    const { config, readBuffer } = this.#deps;
    const events = {
      onConnect: () => this.#onConnect(),
      onBytes: (buffer: Buffer, length: number) => this.#line?.session?.onBytes(buffer, length),
      onEnd: () => this.#break(),
    };
    const socket = new CheckSocket(this.#host, config, readBuffer, events, ["h2"]);
    return { socket, session: undefined, isRefusing: false };
  }

  #onConnect(): void {
    const line = this.#line;
    if (line === undefined) return;
    const { load } = this.#host;
    const { http2, connection } = load.config;
    const { counters, flushQueue } = this.#deps;
    load.http2 ??= counters.get(`cluster.${load.config.statName}.http2`, http2Counters());
    const parts = {
      side: "client",
      options: http2,
      limits: connection.responseHeads,
      counters: load.http2,
      out: new ByteSender(line.socket.socket, flushQueue),
      context: this.#deps,
    } as const;
    const session = new Http2Session(parts, this);
    line.session = session;
    session.start();
    if (this.#isInFlight) this.#ask(session);
  }

  #ask(session: Http2Session): void {
    const { check, config, clock } = this.#deps;
    const { load, state } = this.#host;
    const head = new RequestHead();
    const { headers } = head;
    headers.add("content-type", "application/grpc");
    headers.add("te", "trailers");
    headers.add("user-agent", "Envoy/HC");
    headers.add("grpc-timeout", formatGrpcTimeout(config.timeoutMs));
    if (check.headers !== undefined) {
      applyMutations([check.headers], headers, checkStreamInfo(this.#host, clock));
    }
    const isSecure = load.transports?.for(state.metadata) !== undefined;
    const line: RequestLine = {
      method: "POST",
      scheme: isSecure ? "https" : "http",
      authority: wireText(state.healthCheck?.hostname || check.authority || load.config.name),
      path: "/grpc.health.v1.Health/Check",
      protocol: "",
    };
    session.openStream(this.#stream);
    this.#stream.sendRequest(line, headers, false);
    this.#stream.sendBytes(this.#request, 0, this.#request.length);
    this.#stream.sendEnd(undefined);
  }

  onHead(isEnd: boolean): void {
    const { status, headers } = this.head;
    if (status < 200) return;
    const type = headers.first("content-type") ?? "";
    // A head that is all there is says of gRPC what trailers would.
    if (isEnd) this.#judge(headers);
    else if (status !== 200 || !isGrpcContentType(type)) this.#fail();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#answer.length + to - from > ANSWER_BYTES_MAX) return this.#fail();
    this.#answer = Buffer.concat([this.#answer, buffer.subarray(from, to)]);
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#judge(trailers);
  }

  #judge(trailers: HeaderList | undefined): void {
    const isWell = trailers?.first("grpc-status") === "0" && statusOf(this.#answer) === SERVING;
    this.#end();
    if (isWell) this.#sink.onSuccess(false);
    else this.#sink.onFailure("ACTIVE", false, 0);
  }

  /** What came is no answer to wait for the end of. */
  #fail(): void {
    if (!this.#isInFlight) return;
    this.#end();
    this.#sink.onFailure("ACTIVE", false, 0);
  }

  /** The check is over; the connection is kept where it may be. */
  #end(): void {
    this.#isInFlight = false;
    const isComplete = this.#stream.isRemoteDone;
    if (!isComplete && this.#stream.isOpen) this.#stream.reset(CODE.internalError);
    if (!this.#deps.config.reusesConnection || this.#line?.isRefusing === true) this.close();
  }

  onReadEnd(): void {}
  onSendDrain(): void {}

  onStreamEnd(): void {
    if (this.#line?.session?.isOver !== false) return this.#break();
    // The connection lives on.
    const wasInFlight = this.#isInFlight;
    this.#end();
    if (wasInFlight) this.#sink.onFailure("NETWORK", false, 0);
  }

  accept(): undefined {
    return undefined;
  }

  onStreamClosed(): void {}
  onSettings(): void {}

  onGoAway(_lastStream: number, code: number): void {
    const line = this.#line;
    if (line === undefined) return;
    line.isRefusing = true;
    if (!this.#isInFlight) this.close();
    else if (code !== CODE.noError) this.#break();
  }

  onSessionEnd(): void {
    this.#break();
  }

  #break(): void {
    const wasInFlight = this.#isInFlight;
    this.close();
    if (wasInFlight) this.#sink.onFailure("NETWORK", false, 0);
  }

  giveUp(): void {
    this.#isInFlight = false;
    if (this.#deps.config.reusesConnection && this.#stream.isOpen) {
      this.#stream.reset(CODE.internalError);
    } else this.close();
  }

  close(): void {
    this.#isInFlight = false;
    const line = this.#line;
    this.#line = undefined;
    line?.socket.close();
    line?.session?.onClose("");
  }
}

const EMPTY = Buffer.alloc(0);

/** `HealthCheckRequest`, whose only field is the service's name. */
function encodeRequest(serviceName: string): Buffer {
  const fields = new BinaryWriter();
  if (serviceName !== "") fields.tag(1, WireType.LengthDelimited).string(serviceName);
  const message = fields.finish();
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** The status in a `HealthCheckResponse`; `undefined` where the answer is not one of them. */
function statusOf(answer: Buffer): number | undefined {
  if (answer.length < PREFIX_BYTES || answer[0] !== 0) return undefined;
  if (answer.readUInt32BE(1) !== answer.length - PREFIX_BYTES) return undefined;
  let status = 0;
  try {
    const reader = new BinaryReader(answer.subarray(PREFIX_BYTES));
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.Varint) status = reader.int32();
      else reader.skip(type, field);
    }
  } catch {
    return undefined;
  }
  return status;
}
