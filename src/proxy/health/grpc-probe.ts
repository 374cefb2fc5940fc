import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import { formatGrpcTimeout } from "../../match/grpc-timeout.ts";
import { wireText } from "../../match/wire-text.ts";
import type { Host } from "../cluster/host.ts";
import type { HeaderList } from "../http/header-list.ts";
import { applyMutations } from "../http/header-mutation.ts";
import { RequestHead, type ResponseHead } from "../http/message-head.ts";
import type { GrpcCheckConfig } from "./health-config.ts";
import type { Probe, ProbeSink } from "./health-session.ts";
import { checkScheme, checkStreamInfo } from "./http-request.ts";
import {
  type Http2Asker,
  type Http2CheckDeps,
  Http2CheckLine,
  type Http2Question,
} from "./http2-check-line.ts";

/** A gRPC message has its length before it, and whether it is compressed. */
const PREFIX_BYTES = 5;
/** An answer has no more than one number. */
const ANSWER_BYTES_MAX = 1024;
/** `HealthCheckResponse.SERVING`. */
const SERVING = 1;

/** Asks a host by `grpc.health.v1.Health.Check` how it does, on a connection that is kept. */
export class GrpcProbe implements Probe, Http2Asker {
  readonly #host: Host;
  readonly #check: GrpcCheckConfig;
  readonly #deps: Http2CheckDeps;
  readonly #sink: ProbeSink;
  readonly #line: Http2CheckLine;
  readonly #request: Buffer;
  #answer: Buffer = EMPTY;

  constructor(host: Host, check: GrpcCheckConfig, deps: Http2CheckDeps, sink: ProbeSink) {
    this.#host = host;
    this.#check = check;
    this.#deps = deps;
    this.#sink = sink;
    this.#line = new Http2CheckLine(host, deps, this);
    this.#request = encodeRequest(check.serviceName);
  }

  run(): void {
    this.#answer = EMPTY;
    this.#line.run();
  }

  question(): Http2Question {
    const { config, clock } = this.#deps;
    const check = this.#check;
    const { load, state } = this.#host;
    const { headers } = new RequestHead();
    headers.add("content-type", "application/grpc");
    headers.add("te", "trailers");
    headers.add("user-agent", "Envoy/HC");
    headers.add("grpc-timeout", formatGrpcTimeout(config.timeoutMs));
    if (check.headers !== undefined) {
      applyMutations([check.headers], headers, checkStreamInfo(this.#host, clock, "HTTP/2"));
    }
    const line = {
      method: "POST",
      scheme: checkScheme(this.#host),
      authority: wireText(state.healthCheck?.hostname || check.authority || load.config.name),
      path: "/grpc.health.v1.Health/Check",
      protocol: "",
    };
    return { line, headers, body: this.#request };
  }

  onHead({ status, headers }: ResponseHead, isEnd: boolean): void {
    const type = headers.first("content-type") ?? "";
    // A head that is all there is says of gRPC what trailers would.
    if (isEnd) this.#judge(headers);
    else if (status !== 200 || !isGrpcContentType(type)) this.#fail();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#answer.length + to - from > ANSWER_BYTES_MAX) return this.#fail();
    this.#answer = Buffer.concat([this.#answer, buffer.subarray(from, to)]);
  }

  onBodyEnd(trailers: HeaderList | undefined): void {
    this.#judge(trailers);
  }

  #judge(trailers: HeaderList | undefined): void {
    const isWell = trailers?.first("grpc-status") === "0" && statusOf(this.#answer) === SERVING;
    this.#line.end();
    if (isWell) this.#sink.onSuccess(false);
    else this.#sink.onFailure("ACTIVE", false, 0);
  }

  /** What came is no answer to wait for the end of. */
  #fail(): void {
    this.#line.end();
    this.#sink.onFailure("ACTIVE", false, 0);
  }

  onBroken(): void {
    this.#sink.onFailure("NETWORK", false, 0);
  }

  giveUp(): void {
    this.#line.end();
  }

  close(): void {
    this.#line.close();
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
