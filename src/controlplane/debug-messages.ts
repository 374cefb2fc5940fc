/**
 * What istioctl reads over discovery, as bytes: client configurations (`envoy.service.status.v3`) and
 * config dumps (`envoy.admin.v3`). Written by hand around resources that are bytes already; only
 * these few fields of those messages are used.
 */
import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema, TimestampSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { KindStatus, SyncState } from "../ads/client-status.ts";
import { NodeSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import {
  adminTypeUrl,
  DUMP_PARTS,
  type DumpPart,
  type DumpSource,
  watchedResources,
} from "./config-dump.ts";
import { askedKinds, type KnownProxy } from "./proxy-json.ts";

/** `ConfigStatus` of `csds.proto`. */
const CONFIG_STATUS: Readonly<Record<SyncState, number>> = {
  SYNCED: 1,
  "NOT SENT": 2,
  STALE: 3,
  NACKED: 4,
};

// Field numbers: `ClientConfig`, its `GenericXdsConfig`, and `UpdateFailureState`.
const CLIENT = { node: 1, genericXdsConfigs: 3 };
const GENERIC = { typeUrl: 1, versionInfo: 3, lastUpdated: 5, configStatus: 6, errorState: 8 };
const FAILURE = { lastUpdateAttempt: 2, details: 3, versionInfo: 4 };
// In every dump: its version, its entries, and in them the version and the resource.
const DUMP = { versionInfo: 1, entries: 3 };
const ENTRY = { versionInfo: 1, resource: 2 };
const LISTENER = { name: 1, activeState: 2 };

/** Messages of a dump that stay empty here; istioctl expects them in their place. */
const EMPTY_BEFORE = ["BootstrapConfigDump"];
const EMPTY_AFTER = ["ScopedRoutesConfigDump", "SecretsConfigDump", "EcdsConfigDump"];

/** One proxy's state as a `ClientConfig`. */
export function clientConfigMessage({ client, node }: KnownProxy): Any {
  const text = (name: string): string => {
    const value = client.node.metadata[name];
    return typeof value === "string" ? value : "";
  };
  const metadata: JsonObject = {
    CLUSTER_ID: text("CLUSTER_ID"),
    NAMESPACE: node.namespace,
    ISTIO_VERSION: text("ISTIO_VERSION"),
  };
  const id = `${node.name}.${node.namespace}`;
  const writer = new BinaryWriter();
  writeBytes(writer, CLIENT.node, toBinary(NodeSchema, create(NodeSchema, { id, metadata })));
  for (const kind of askedKinds(client)) {
    const config = genericConfig(RESOURCE_TYPE_URL[kind], client.kinds[kind]);
    writeBytes(writer, CLIENT.genericXdsConfigs, config);
  }
  return any("type.googleapis.com/envoy.service.status.v3.ClientConfig", writer.finish());
}

function genericConfig(typeUrl: string, status: KindStatus): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, GENERIC.typeUrl, typeUrl);
  writeText(writer, GENERIC.versionInfo, status.sentVersion ?? "");
  if (status.sentAtMs !== undefined) {
    writeBytes(writer, GENERIC.lastUpdated, timestamp(status.sentAtMs));
  }
  writer.tag(GENERIC.configStatus, WireType.Varint).int32(CONFIG_STATUS[status.state]);
  if (status.state !== "NACKED") return writer.finish();
  const failure = new BinaryWriter();
  writeBytes(failure, FAILURE.lastUpdateAttempt, timestamp(status.nackedAtMs ?? 0));
  writeText(failure, FAILURE.details, status.nackedMessage ?? "");
  writeText(failure, FAILURE.versionInfo, status.nackedVersion ?? "");
  writeBytes(writer, GENERIC.errorState, failure.finish());
  return writer.finish();
}

/** What a proxy is offered, as the messages of Envoy's own dump; without endpoints, as istiod. */
export function configDumpMessages(source: DumpSource): readonly Any[] {
  return [
    ...EMPTY_BEFORE.map((message) => any(adminTypeUrl(message), new Uint8Array())),
    ...DUMP_PARTS.filter(({ kind }) => kind !== "endpoint").map((part) =>
      dumpMessage(source, part),
    ),
    ...EMPTY_AFTER.map((message) => any(adminTypeUrl(message), new Uint8Array())),
  ];
}

function dumpMessage(source: DumpSource, { kind, message }: DumpPart): Any {
  const writer = new BinaryWriter();
  writeText(writer, DUMP.versionInfo, source.client.kinds[kind].sentVersion ?? "");
  for (const { name, version, body } of watchedResources(source, kind)) {
    const entry = new BinaryWriter();
    writeText(entry, ENTRY.versionInfo, version);
    const resource = toBinary(AnySchema, any(RESOURCE_TYPE_URL[kind], body));
    writeBytes(entry, ENTRY.resource, resource);
    if (kind !== "listener") {
      writeBytes(writer, DUMP.entries, entry.finish());
      continue;
    }
    const listener = new BinaryWriter();
    writeText(listener, LISTENER.name, name);
    writeBytes(listener, LISTENER.activeState, entry.finish());
    writeBytes(writer, DUMP.entries, listener.finish());
  }
  return any(adminTypeUrl(message), writer.finish());
}

/** Bytes under a type URL. */
export function any(typeUrl: string, value: Uint8Array): Any {
  return create(AnySchema, { typeUrl, value });
}

function timestamp(ms: number): Uint8Array {
  return toBinary(TimestampSchema, timestampFromMs(ms));
}

function writeText(writer: BinaryWriter, field: number, text: string): void {
  if (text !== "") writer.tag(field, WireType.LengthDelimited).string(text);
}

function writeBytes(writer: BinaryWriter, field: number, bytes: Uint8Array): void {
  writer.tag(field, WireType.LengthDelimited).bytes(bytes);
}
