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

/** A report in Zipkin's JSON, version 2. */
export function encodeZipkinJson(
  records: readonly ZipkinRecord[],
  { serviceName, address }: ZipkinEndpoint,
): Buffer {
  const localEndpoint = {
    ...(serviceName !== "" && { serviceName }),
    [address.includes(":") ? "ipv6" : "ipv4"]: address,
    port: 0,
  };
  const spans = records.map((record) => ({
    traceId: record.traceHigh + record.traceLow,
    ...(record.parentId !== "" && { parentId: record.parentId }),
    id: record.spanId,
    kind: record.isClient ? "CLIENT" : "SERVER",
    ...(record.name !== "" && { name: spanText(record.name) }),
    timestamp: record.startUs,
    duration: record.durationUs,
    localEndpoint,
    ...(record.isShared && { shared: true }),
    annotations: annotationsOf(record),
    tags: tagsOf(record),
  }));
  return Buffer.from(JSON.stringify(spans));
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
