import { hostname } from "node:os";
import type { FilterStateObject } from "../filter-state.ts";
import { jsonText } from "../json-text.ts";
import type { MetadataValue } from "../match-request.ts";
import { longFlags } from "../response-flags.ts";
import {
  METADATA_KINDS,
  type MetadataKind,
  type StreamInfo,
  TIME_POINTS,
  type TimePoint,
  type UpstreamInfo,
  type WireBytes,
} from "../stream-info.ts";
import { wireText } from "../wire-text.ts";
import {
  cut,
  type Field,
  FormatProblem,
  type Operator,
  type OperatorTable,
  plain,
  text,
  unbuilt,
} from "./operator.ts";
import { compileTimeFormat, createDefaultTime } from "./time-format.ts";

const DEFAULT_TIME = "%Y-%m-%dT%H:%M:%E3S%z";

/** A moment of wall time, in a format of the operator's own or Envoy's default. */
function time(pick: (info: StreamInfo) => number, isLocal: boolean): Operator {
  return {
    argument: "optional",
    takesLength: false,
    create(argument): Field {
      if (argument === "" && !isLocal) {
        const format = createDefaultTime();
        return (info) => format(pick(info));
      }
      if (/%[-_0^#]*[1-9]*(?:E|O)?n/.test(argument)) {
        throw new FormatProblem("Invalid header configuration. Format string contains newline.");
      }
      const format = compileTimeFormat(wireText(argument) || DEFAULT_TIME, isLocal);
      return (info) => format(pick(info));
    },
  };
}

/** Between two moments, whole milliseconds (or as many as `perMs` to one); absent without both. */
function between(from: TimePoint, to: TimePoint, perMs = 1): Field {
  return (info) => {
    const start = info.timeMs(from);
    const end = info.timeMs(to);
    return start < 0 || end < 0 ? undefined : Math.floor((end - start) * perMs);
  };
}

const PER_MS: Readonly<Record<string, number>> = { ms: 1, us: 1000, ns: 1_000_000 };

function createDuration(argument: string): Field {
  const [from = "", to, precision = "ms", ...more] = argument.split(":");
  if (to === undefined || more.length > 0) {
    throw new FormatProblem(`Invalid common duration configuration: ${argument}.`);
  }
  const perMs = PER_MS[precision];
  if (perMs === undefined) {
    throw new FormatProblem(`Invalid common duration precision: ${precision}.`);
  }
  for (const point of [from, to]) {
    if (UNBUILT_POINTS.has(point)) {
      throw new FormatProblem(`time point ${point} is not supported yet`);
    }
  }
  // Others are names of moments that extensions note down; no extension here does.
  if (!isTimePoint(from) || !isTimePoint(to)) return () => undefined;
  return between(from, to, perMs);
}

/** Moments that Envoy keeps and nobody here does. */
const UNBUILT_POINTS: ReadonlySet<string> = new Set(["DS_HS_BEG", "DS_HS_END", "US_HS_END"]);

function isTimePoint(name: string): name is TimePoint {
  return TIME_POINTS.includes(name as TimePoint);
}

/** `namespace:key:key…` of one kind of metadata. */
function metadata(kind: MetadataKind | "DYNAMIC", takesLength = false): Operator {
  return {
    argument: "required",
    takesLength,
    create: (argument, length) => cut(createMetadata(kind, argument), length),
  };
}

function createMetadata(kind: MetadataKind | "DYNAMIC", argument: string): Field {
  const [namespace = "", ...keys] = argument.split(":");
  return (info) => {
    let value: MetadataValue | undefined =
      kind === "DYNAMIC" ? info.dynamicMetadata(namespace) : info.metadata(kind, namespace);
    for (const key of keys) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      value = (value as Readonly<Record<string, MetadataValue>>)[key];
    }
    return value === undefined || value === null ? undefined : wireValue(value);
  };
}

/** Metadata is text of a configuration. */
function wireValue(value: MetadataValue): MetadataValue {
  if (typeof value === "string") return wireText(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(wireValue);
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, one]) => [wireText(key), wireValue(one)]));
}

const anyMetadata: Operator = {
  argument: "optional",
  takesLength: true,
  create(argument, length) {
    const [kind = ""] = argument.split(":", 1);
    if (!isKind(kind)) {
      throw new FormatProblem(`${kind} is not supported type of metadata`);
    }
    return cut(createMetadata(kind, argument.substring(kind.length + 1)), length);
  },
};

function isKind(name: string): name is MetadataKind | "DYNAMIC" {
  return name === "DYNAMIC" || METADATA_KINDS.includes(name as MetadataKind);
}

/** `key:PLAIN`, `key:TYPED`, `key:FIELD:name`. */
function filterState(
  find: (info: StreamInfo, key: string) => FilterStateObject | undefined,
): Operator {
  return {
    argument: "optional",
    takesLength: true,
    create(argument, length) {
      const [key = "", form = "TYPED", field, ...more] = argument.split(":");
      if (key === "") {
        throw new FormatProblem("Invalid filter state configuration, key cannot be empty.");
      }
      if (!["PLAIN", "TYPED", "FIELD"].includes(form)) {
        const what = "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.";
        throw new FormatProblem(what);
      }
      if ((form === "FIELD") !== (field !== undefined) || more.length > 0) {
        const what =
          "Invalid filter state serialize type, FIELD should be used with the field name.";
        throw new FormatProblem(what);
      }
      if (form === "FIELD") {
        return cut((info) => find(info, key)?.field?.(field ?? "") || undefined, length);
      }
      if (form === "PLAIN") return cut((info) => find(info, key)?.text, length);
      const typed: Field = (info) => find(info, key)?.typed;
      // As in Envoy JSON has the message, of whatever length, and text has JSON.
      const asText: Field = (info) => {
        const value = typed(info);
        return value === undefined ? undefined : jsonText(value);
      };
      return Object.assign(typed, { asText: cut(asText, length) });
    },
  };
}

const details: Operator = {
  argument: "optional",
  takesLength: false,
  create(argument): Field {
    if (argument === "ALLOW_WHITESPACES") return (info) => info.details || undefined;
    return (info) => info.details.replaceAll(/\s/g, "_") || undefined;
  },
};

const environment: Operator = {
  argument: "required",
  takesLength: true,
  create(argument, length) {
    // Read once: a process does not change its own.
    const value = wireText(process.env[argument] ?? "-").substring(0, length);
    return () => value;
  },
};

/** `address:port` or a name without the port. */
function withoutPort(host: string): string {
  return host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** Without compression, as in HTTP/1.1, both are the same. */
const HEAD_BYTES = ["HEADER_BYTES", "DECOMPRESSED_HEADER_BYTES"];

function wireOperators(side: string, read: (info: StreamInfo) => WireBytes): OperatorTable {
  const heads = HEAD_BYTES.flatMap((name) => [
    [`${side}_${name}_RECEIVED`, plain((info) => read(info).headReceived)],
    [`${side}_${name}_SENT`, plain((info) => read(info).headSent)],
  ]);
  return {
    ...(Object.fromEntries(heads) as OperatorTable),
    [`${side}_WIRE_BYTES_RECEIVED`]: plain((info) => read(info).received),
    [`${side}_WIRE_BYTES_SENT`]: plain((info) => read(info).sent),
  };
}

const BYTE_OPERATORS: OperatorTable = {
  ...wireOperators("DOWNSTREAM", ({ wire }) => wire),
  ...wireOperators("UPSTREAM", ({ upstream }) => upstream.wire),
  REQUEST_HEADERS_BYTES: plain((info) => info.requestHeadersBytes),
  RESPONSE_HEADERS_BYTES: plain((info) => info.responseHeadersBytes),
  RESPONSE_TRAILERS_BYTES: plain((info) => info.responseTrailersBytes),
  BYTES_RECEIVED: plain((info) => info.bytesReceived),
  BYTES_SENT: plain((info) => info.bytesSent),
  // Of HTTP/3 only.
  BYTES_RETRANSMITTED: plain(() => 0),
  PACKETS_RETRANSMITTED: plain(() => 0),
};

/** What Envoy knows and nobody here keeps. */
const UNBUILT: OperatorTable = Object.fromEntries(
  [
    "DOWNSTREAM_CX_RTT",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_LOCAL_CLOSE_REASON",
  ].map((name) => [name, unbuilt(name)]),
);

/** What Envoy lists of all attempts, which is the last one that counts. */
const attempted = (read: (upstream: UpstreamInfo) => string | undefined): Operator =>
  text(({ upstream }) => (upstream.wasTried ? read(upstream) : undefined));

const TIME_OPERATORS: OperatorTable = {
  START_TIME: time((info) => info.startMs, false),
  START_TIME_LOCAL: time((info) => info.startMs, true),
  EMIT_TIME: time((info) => info.nowMs, false),
  EMIT_TIME_LOCAL: time((info) => info.nowMs, true),
  COMMON_DURATION: { argument: "required", takesLength: false, create: createDuration },
  // Of what is not over yet: until now.
  DURATION: plain(({ durationMs, nowMs, startMs }) =>
    Math.max(0, Math.floor(durationMs < 0 ? nowMs - startMs : durationMs)),
  ),
  REQUEST_DURATION: plain(between("DS_RX_BEG", "DS_RX_END")),
  REQUEST_TX_DURATION: plain(between("DS_RX_BEG", "US_TX_END")),
  RESPONSE_DURATION: plain(between("DS_RX_BEG", "US_RX_BEG")),
  RESPONSE_TX_DURATION: plain(between("US_RX_BEG", "DS_TX_END")),
  // Of HTTP/3 only.
  ROUNDTRIP_DURATION: plain(() => undefined),
};

const UPSTREAM_OPERATORS: OperatorTable = {
  UPSTREAM_CLUSTER: text(({ upstream }) => upstream.clusterAlias),
  UPSTREAM_CLUSTER_RAW: text(({ upstream }) => upstream.cluster),
  UPSTREAM_HOST: text(({ upstream }) => upstream.host),
  UPSTREAM_HOST_NAME: text(({ upstream }) => upstream.hostName),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: text(({ upstream }) => withoutPort(upstream.hostName ?? "")),
  UPSTREAM_PROTOCOL: text(({ upstream }) => upstream.protocol),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain(({ upstream }) => upstream.attempts),
  UPSTREAM_TRANSPORT_FAILURE_REASON: text(({ upstream }) =>
    upstream.transportFailure.replaceAll(/\s/g, "_"),
  ),
  UPSTREAM_CONNECTION_ID: plain(({ upstream }) => upstream.connectionId ?? 0),
  UPSTREAM_CONNECTION_IDS_ATTEMPTED: attempted(({ connectionId }) =>
    connectionId === undefined ? undefined : String(connectionId),
  ),
  UPSTREAM_CONNECTION_POOL_READY_DURATION: plain(({ upstream: { poolReadyMs } }) =>
    poolReadyMs < 0 ? undefined : Math.floor(poolReadyMs),
  ),
  UPSTREAM_HOSTS_ATTEMPTED: attempted(({ host }) => host),
  UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT: attempted(({ host }) => withoutPort(host ?? "")),
  UPSTREAM_HOST_NAMES_ATTEMPTED: attempted(({ hostName }) => hostName),
  UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT: attempted(({ hostName }) =>
    withoutPort(hostName ?? ""),
  ),
  UPSTREAM_METADATA: metadata("UPSTREAM_HOST"),
  CLUSTER_METADATA: metadata("CLUSTER"),
  UPSTREAM_FILTER_STATE: filterState(() => undefined),
};

/** Everything else that is read from the stream itself. */
export const STREAM_OPERATORS: OperatorTable = {
  ...UNBUILT,
  ...BYTE_OPERATORS,
  ...TIME_OPERATORS,
  ...UPSTREAM_OPERATORS,
  ACCESS_LOG_TYPE: plain((info) => info.logType),
  CONNECTION_ID: plain((info) => info.connection.id),
  CONNECTION_TERMINATION_DETAILS: text((info) => info.terminationDetails),
  // No filter sets one.
  CUSTOM_FLAGS: plain(() => ""),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: text(({ connection }) =>
    connection.transportFailure.replaceAll(/\s/g, "_"),
  ),
  DYNAMIC_METADATA: metadata("DYNAMIC", true),
  ENVIRONMENT: environment,
  FILTER_CHAIN_NAME: text((info) => info.connection.filterChainName),
  FILTER_STATE: filterState((info, key) => info.filterState(key)),
  HOSTNAME: {
    argument: "none",
    takesLength: false,
    create() {
      const name = hostname();
      return () => name;
    },
  },
  LOCAL_REPLY_BODY: plain((info) => info.localReplyBody),
  METADATA: anyMetadata,
  PROTOCOL: text((info) => info.protocol),
  RESPONSE_CODE: plain((info) => info.status),
  RESPONSE_CODE_DETAILS: details,
  RESPONSE_FLAGS: plain((info) => info.flag || "-"),
  RESPONSE_FLAGS_LONG: plain((info) => longFlags(info.flag) || "-"),
  ROUTE_NAME: text((info) => info.routeName),
  SPAN_ID: text((info) => info.spanId),
  TRACE_ID: text((info) => info.traceId),
  STREAM_ID: text((info) => info.streamId),
  UNIQUE_ID: plain((info) => info.uniqueId),
  // Virtual clusters are refused.
  VIRTUAL_CLUSTER_NAME: plain(() => undefined),
};
