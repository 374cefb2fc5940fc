import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type {
  AnyValueSchema,
  KeyValueSchema,
} from "../../api/gen/opentelemetry/proto/common/v1/common_pb.js";
import { LogRecordSchema } from "../../api/gen/opentelemetry/proto/logs/v1/logs_pb.js";
import { ResourceSchema } from "../../api/gen/opentelemetry/proto/resource/v1/resource_pb.js";
import type { CustomTag } from "../../match/custom-tag.ts";
import { jsonText } from "../../match/json-text.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import { utf8Text } from "../../match/wire-text.ts";

/** A value of a record. */
export type OtelValue = MessageInitShape<typeof AnyValueSchema>;
/** An attribute of a record. */
export type OtelAttribute = MessageInitShape<typeof KeyValueSchema>;

/** What a record has. */
export interface RecordFormat {
  readonly body: ((info: StreamInfo) => OtelValue) | undefined;
  readonly attributes: (info: StreamInfo) => readonly OtelAttribute[];
  /** Objects of the filter state that are attributes too, by their keys. */
  readonly stateKeys: readonly string[];
  readonly tags: readonly CustomTag[];
}

/** An attribute with a text, which comes as it goes over the wire. */
export function textAttribute(key: string, value: string): OtelAttribute {
  return { key: utf8Text(key), value: textValue(value) };
}

/** A text as a value. */
export function textValue(value: string): OtelValue {
  return { value: { case: "stringValue", value: utf8Text(value) } };
}

/** What is known of a stream as OpenTelemetry's `LogRecord`. */
export function encodeRecord(info: StreamInfo, format: RecordFormat): Uint8Array {
  const { traceId = "", spanId = "", startMs } = info;
  const wholeMs = Math.floor(startMs);
  const body = format.body?.(info);
  const record = create(LogRecordSchema, {
    timeUnixNano: BigInt(wholeMs) * 1_000_000n + BigInt(Math.floor((startMs - wholeMs) * 1e6)),
    ...(body && { body }),
    attributes: [
      ...format.attributes(info),
      ...format.stateKeys.flatMap((key) => stateAttribute(info, key) ?? []),
      ...format.tags.flatMap(({ name, read }) => {
        const value = read(info);
        return value === undefined ? [] : [textAttribute(name, String(value))];
      }),
    ],
    // Those of Zipkin may have 64 bits.
    traceId: Buffer.from(traceId.padStart(traceId === "" ? 0 : 32, "0"), "hex"),
    spanId: Buffer.from(spanId, "hex"),
  });
  return toBinary(LogRecordSchema, record);
}

function stateAttribute(info: StreamInfo, key: string): OtelAttribute | undefined {
  const typed = info.filterState(key)?.typed;
  return typed === undefined ? undefined : textAttribute(key, jsonText(typed));
}

/** What all records of one log are about. */
export function encodeResource(attributes: readonly OtelAttribute[]): Uint8Array {
  return toBinary(ResourceSchema, create(ResourceSchema, { attributes: [...attributes] }));
}
