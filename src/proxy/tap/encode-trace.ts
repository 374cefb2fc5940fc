import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { TraceWrapperSchema } from "../../api/gen/envoy/data/tap/v3/wrapper_pb.js";
import type { TapFormat, Trace } from "./tap-config.ts";

/** What follows the point in the names of files. */
export const ENDINGS: Readonly<Record<TapFormat, string>> = {
  JSON_BODY_AS_BYTES: "json",
  JSON_BODY_AS_STRING: "json",
  PROTO_BINARY: "pb",
  PROTO_BINARY_LENGTH_DELIMITED: "pb_length_delimited",
};

/** A trace as it is written; JSON is as Envoy's, with every field that is no message. */
export function encodeTrace(trace: Trace, format: TapFormat): Uint8Array {
  const message = create(TraceWrapperSchema, trace);
  if (format === "PROTO_BINARY") return toBinary(TraceWrapperSchema, message);
  if (format === "PROTO_BINARY_LENGTH_DELIMITED") {
    return sizeDelimitedEncode(TraceWrapperSchema, message);
  }
  const options = { useProtoFieldName: true, alwaysEmitImplicit: true };
  const json = toJson(TraceWrapperSchema, message, options);
  return Buffer.from(`${JSON.stringify(json, undefined, 1)}\n`);
}
