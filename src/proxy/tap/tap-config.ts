import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TraceWrapperSchema } from "../../api/gen/envoy/data/tap/v3/wrapper_pb.js";
import type { MatchRequest } from "../../match/match-request.ts";
import type { RuntimeShare } from "../../match/runtime-reader.ts";
import type { ResponseHead } from "../http/message-head.ts";

/** How traces are written, by Envoy's names. */
export type TapFormat =
  | "JSON_BODY_AS_BYTES"
  | "JSON_BODY_AS_STRING"
  | "PROTO_BINARY"
  | "PROTO_BINARY_LENGTH_DELIMITED";

/** What has been seen of a request so far. */
export interface TapSeen {
  readonly request: MatchRequest;
  readonly response: ResponseHead | undefined;
}

/** Whether a request is tapped; `undefined` while that is not known yet. */
export type TapPredicate = (seen: TapSeen) => boolean | undefined;

/** Where traces go. */
export type TapOutput =
  /** A file for each: `<prefix>_<number>.<ending of the format>`. */
  | { readonly kind: "file"; readonly prefix: string }
  /** Whoever posted the configuration to `/tap`, each trace at once. */
  | { readonly kind: "streamingAdmin" }
  /** The same, when there are so many or so long after; 0 ms is for ever. */
  | { readonly kind: "bufferedAdmin"; readonly tracesMax: number; readonly timeoutMs: number };

/** Which requests are tapped, and what becomes of that. */
export interface TapConfig {
  readonly matches: TapPredicate;
  /** Absent: all of them. */
  readonly enabled: RuntimeShare | undefined;
  /** Whether parts of a trace are written as they come, each by itself. */
  readonly isStreaming: boolean;
  /** Of bodies no more is kept; where they are streamed, of each part. */
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
  readonly format: TapFormat;
  readonly output: TapOutput;
}

/** A trace or part of one, as Envoy's `TraceWrapper`. */
export type Trace = MessageInitShape<typeof TraceWrapperSchema>;

/** Takes the trace of one request. */
export interface TapSink {
  write(trace: Trace): void;
  end(): void;
}

/** A configuration at work. */
export interface TapTarget {
  readonly config: TapConfig;
  open(traceId: bigint): TapSink;
}
