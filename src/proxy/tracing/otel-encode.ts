import { create, toBinary } from "@bufbuild/protobuf";
import { ExportTraceServiceRequestSchema } from "../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js";
import {
  Span_SpanKind as SpanKind,
  Status_StatusCode as StatusCode,
} from "../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js";
import type { TagValue } from "../../match/custom-tag.ts";
import type { OtelRecord } from "./otel-tracer.ts";
import { spanText } from "./span-text.ts";

/** What is the same in all reports of one tracer. */
export interface OtelSource {
  readonly resource: ReadonlyMap<string, string>;
  /** The version of the instrumentation; `undefined` where it does not name itself. */
  readonly scopeVersion: string | undefined;
}

const STATUS_CODES = { unset: StatusCode.UNSET, error: StatusCode.ERROR } as const;

/** Bits of a span's flags: sampled; it is known where the parent is; that is in another process. */
const FLAG = { sampled: 0x1, hasIsRemote: 0x100, isRemote: 0x200 } as const;

/** A report in OTLP's protobuf. */
export function encodeOtlp(
  records: readonly OtelRecord[],
  { resource, scopeVersion }: OtelSource,
): Uint8Array {
  const scope = scopeVersion === undefined ? undefined : { name: "weft", version: scopeVersion };
  const spans = records.map((record) => ({
    traceId: Buffer.from(record.traceId, "hex"),
    spanId: Buffer.from(record.spanId, "hex"),
    parentSpanId: Buffer.from(record.parentId, "hex"),
    traceState: spanText(record.traceState),
    name: spanText(record.name),
    kind: record.isClient ? SpanKind.CLIENT : SpanKind.SERVER,
    startTimeUnixNano: BigInt(record.startUs) * 1000n,
    endTimeUnixNano: BigInt(record.endUs) * 1000n,
    attributes: [...record.attributes].map(([key, value]) => attribute(key, value)),
    events: record.events.map(({ name, atUs }) => ({ name, timeUnixNano: BigInt(atUs) * 1000n })),
    ...(record.status !== undefined && { status: { code: STATUS_CODES[record.status] } }),
    flags: FLAG.sampled | FLAG.hasIsRemote | (record.isParentRemote ? FLAG.isRemote : 0),
  }));
  const attributes = [...resource].map(([key, value]) => attribute(key, value));
  const request = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ ...(scope && { scope }), spans }] }],
  });
  return toBinary(ExportTraceServiceRequestSchema, request);
}

type AnyValue =
  | { readonly case: "stringValue"; readonly value: string }
  | { readonly case: "boolValue"; readonly value: boolean }
  | { readonly case: "intValue"; readonly value: bigint }
  | { readonly case: "doubleValue"; readonly value: number };

function attribute(name: string, value: TagValue): { key: string; value: { value: AnyValue } } {
  return { key: spanText(name), value: { value: anyValue(value) } };
}

function anyValue(value: TagValue): AnyValue {
  if (typeof value === "string") return { case: "stringValue", value: spanText(value) };
  if (typeof value === "bigint") return { case: "intValue", value };
  return typeof value === "boolean" ? { case: "boolValue", value } : { case: "doubleValue", value };
}
