import { create, toBinary } from "@bufbuild/protobuf";
import { ListOfSpansSchema, Span_Kind } from "../../api/gen/zipkin_pb.js";
import { ipv4Bytes, ipv6Bytes } from "../net/ip-bytes.ts";
import { spanText } from "./span-text.ts";
import type { ZipkinRecord } from "./zipkin-tracer.ts";

/** Who reports: the proxy, by the cluster of its node and the machine's address. */
export interface ZipkinEndpoint {
  readonly serviceName: string;
  readonly address: string;
}

/**
 * A report in Zipkin's JSON, version 2. Its text is put together here: objects made only to be turned
 * into text took most of what a sampled request costs.
 */
export function encodeZipkinJson(
  records: readonly ZipkinRecord[],
  { serviceName, address }: ZipkinEndpoint,
): Buffer {
  const endpoint = JSON.stringify({
    ...(serviceName !== "" && { serviceName }),
    [address.includes(":") ? "ipv6" : "ipv4"]: address,
    port: 0,
  });
  let text = "[";
  for (const record of records) text += (text === "[" ? "" : ",") + spanJson(record, endpoint);
  return Buffer.from(`${text}]`);
}

function spanJson(record: ZipkinRecord, endpoint: string): string {
  const { traceHigh, traceLow, spanId, parentId, name, startUs, durationUs } = record;
  const parent = parentId === "" ? "" : `"parentId":"${parentId}",`;
  const named = name === "" ? "" : `"name":${quote(name)},`;
  const shared = record.isShared ? '"shared":true,' : "";
  let annotations = "";
  for (const { timestamp, value } of annotationsOf(record)) {
    annotations += `${annotations && ","}{"timestamp":${timestamp},"value":${quote(value)}}`;
  }
  let tags = "";
  for (const [tag, value] of record.tags) tags += `${tags && ","}${quote(tag)}:${quote(value)}`;
  return (
    `{"traceId":"${traceHigh}${traceLow}",${parent}"id":"${spanId}",` +
    `"kind":"${record.isClient ? "CLIENT" : "SERVER"}",${named}` +
    `"timestamp":${startUs},"duration":${durationUs},"localEndpoint":${endpoint},${shared}` +
    `"annotations":[${annotations}],"tags":{${tags}}}`
  );
}

/** What stands for itself between quotes: ASCII without its control characters, `"` and `\`. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(wire: string): string {
  return PLAIN.test(wire) ? `"${wire}"` : JSON.stringify(spanText(wire));
}

/** A report in Zipkin's protobuf. IDs stand in the order of the network, as Zipkin wants them. */
export function encodeZipkinProto(
  records: readonly ZipkinRecord[],
  { serviceName, address }: ZipkinEndpoint,
): Uint8Array {
  const localEndpoint = {
    serviceName,
    ...(address.includes(":")
      ? { ipv6: Buffer.from(ipv6Bytes(address), "latin1") }
      : { ipv4: Buffer.from(ipv4Bytes(address), "latin1") }),
  };
  const spans = records.map((record) => ({
    traceId: Buffer.from(record.traceHigh + record.traceLow, "hex"),
    parentId: Buffer.from(record.parentId, "hex"),
    id: Buffer.from(record.spanId, "hex"),
    kind: record.isClient ? Span_Kind.CLIENT : Span_Kind.SERVER,
    name: spanText(record.name),
    timestamp: BigInt(record.startUs),
    duration: BigInt(record.durationUs),
    localEndpoint,
    shared: record.isShared,
    annotations: annotationsOf(record).map(({ timestamp, value }) => ({
      timestamp: BigInt(timestamp),
      value,
    })),
    tags: tagsOf(record),
  }));
  return toBinary(ListOfSpansSchema, create(ListOfSpansSchema, { spans }));
}

interface Annotation {
  readonly timestamp: number;
  readonly value: string;
}

/** What happened in between, and the end as the first version of Zipkin called it. */
function annotationsOf({ notes, isClient, endUs }: ZipkinRecord): Annotation[] {
  return [
    ...notes.map(({ event, atUs }) => ({ timestamp: atUs, value: event })),
    { timestamp: endUs, value: isClient ? "cr" : "ss" },
  ];
}

function tagsOf({ tags }: ZipkinRecord): Record<string, string> {
  return Object.fromEntries([...tags].map(([name, value]) => [spanText(name), spanText(value)]));
}
