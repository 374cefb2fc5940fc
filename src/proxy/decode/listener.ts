import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import type { Address } from "../../api/gen/envoy/config/core/v3/address_pb.js";
import { TrafficDirection } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type FilterChain,
  FilterChainSchema,
} from "../../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import {
  AdditionalAddressSchema,
  type Listener,
  Listener_ConnectionBalanceConfigSchema,
  Listener_DrainType,
  ListenerSchema,
} from "../../api/gen/envoy/config/listener/v3/listener_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import type { ListenerInfo } from "../../match/connection-info.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { compileFilterChainSearch } from "../../match/filter-chain.ts";
import { decodeFilterChainMatch } from "../../match/filter-chain-match.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { ListenAddress } from "../listener/listen-address.ts";
import type { FilterChainConfig, ListenerConfig } from "../listener/listener-config.ts";
import { downstreamTls } from "../tls/downstream-tls.ts";
import type { DownstreamTlsConfig } from "../tls/tls-config.ts";
import { decodeAccessLogs } from "./access-log.ts";
import { decodeListenAddress } from "./address.ts";
import { decodeListenerFilters } from "./listener-filters.ts";
import { decodeMetadata } from "./metadata.ts";
import { decodeNetworkFilters } from "./network-filters.ts";
import { decodeDownstreamTransport } from "./tls-context.ts";

const FIELDS = [
  "name",
  "address",
  "additional_addresses",
  "stat_prefix",
  "bind_to_port",
  "use_original_dst",
  "filter_chains",
  "default_filter_chain",
  "metadata",
  "traffic_direction",
  "tcp_backlog_size",
  // How many are accepted in one turn shows nowhere.
  "max_connections_to_accept_per_socket_event",
  "bypass_overload_manager",
  "ignore_global_conn_limit",
  // One process accepts for itself.
  "connection_balance_config",
  "enable_reuse_port",
  "reuse_port",
  "access_log",
  "listener_filters",
  "listener_filters_timeout",
  "continue_on_listener_filters_timeout",
  // What waits for slow readers is bounded by the sockets' own marks.
  "per_connection_buffer_limit_bytes",
  "drain_type",
];

/** Socket options that Node cannot set, and what to do instead; switched off they are as good as absent. */
const SWITCHES = [
  [
    "transparent",
    "needs IP_TRANSPARENT on a listening socket, which Node cannot set: redirect by REDIRECT in place of TPROXY",
  ],
  ["freebind", "needs IP_FREEBIND, which Node cannot set: bind an address that the machine has"],
] as const;

const BACKLOG = 511;
const BUFFER_BYTES = 1_048_576;
/** Envoy's default for all listener filters together. */
const INSPECTION_MS = 15_000;

/** Decodes a listener; `body` is what it was encoded as. */
export function decodeListener(message: Listener, body: Uint8Array): Result<ListenerConfig> {
  const switches = SWITCHES.map(([path]) => path);
  const issues = refuseFields(ListenerSchema, message, [...FIELDS, ...switches], "");
  for (const [path, what] of SWITCHES) {
    if (message[path] === true) issues.push({ path, message: what });
  }
  decodeBalance(message, issues);
  const addresses = decodeAddresses(message, issues);
  const listener = {
    metadata: decodeMetadata(message.metadata, "metadata", issues),
    direction: message.trafficDirection,
  };
  const chains = message.filterChains.flatMap(
    (chain, at) => decodeChain(chain, { path: `filter_chains[${at}]`, listener }, issues) ?? [],
  );
  const defaultChain =
    message.defaultFilterChain &&
    decodeChain(message.defaultFilterChain, { path: "default_filter_chain", listener }, issues);
  if (message.filterChains.length === 0 && message.defaultFilterChain === undefined) {
    issues.push({ path: "", message: `no filter chains specified` });
  }
  const findChain = compileFilterChainSearch(chains, ({ name }) => {
    const what = "multiple filter chains with overlapping matching rules are defined";
    issues.push({ path: "filter_chains", message: name === "" ? what : `${what}: ${name}` });
  });
  const logs = decodeAccessLogs(message.accessLog, "", issues);
  const listenerFilters = decodeListenerFilters(message, issues);
  if (issues.length > 0) return { ok: false, issues };
  return {
    ok: true,
    value: {
      name: message.name,
      statPrefix: message.statPrefix,
      addresses,
      bindsToPort: message.bindToPort ?? true,
      usesOriginalDestination: message.useOriginalDst ?? false,
      logs,
      listenerFilters,
      listenerFiltersTimeoutMs: durationMs(message.listenerFiltersTimeout) ?? INSPECTION_MS,
      continuesOnTimeout: message.continueOnListenerFiltersTimeout,
      chains,
      findChain,
      defaultChain,
      isOutbound: message.trafficDirection === TrafficDirection.OUTBOUND,
      bufferBytesMax: message.perConnectionBufferLimitBytes ?? BUFFER_BYTES,
      backlog: message.tcpBacklogSize ?? BACKLOG,
      bypassesOverload: message.bypassOverloadManager,
      ignoresConnectionLimit: message.ignoreGlobalConnLimit,
      drain: {
        isInbound: message.trafficDirection === TrafficDirection.INBOUND,
        heedsHealth: message.drainType === Listener_DrainType.DEFAULT,
      },
      frameDigest: digestFrame(message),
      body,
    },
  };
}

/** With one process every balance is exact; what an extension would do is not known. */
function decodeBalance({ connectionBalanceConfig: balance }: Listener, issues: Issue[]): void {
  if (balance === undefined) return;
  const path = "connection_balance_config";
  const schema = Listener_ConnectionBalanceConfigSchema;
  issues.push(...refuseFields(schema, balance, ["exact_balance"], path));
  if (balance.balanceType.case === undefined) issues.push({ path, message: "names no balance" });
}

function decodeAddresses(message: Listener, issues: Issue[]): ListenAddress[] {
  const places: [Address | undefined, string][] = [[message.address, "address"]];
  for (const [at, additional] of message.additionalAddresses.entries()) {
    const path = `additional_addresses[${at}]`;
    issues.push(...refuseFields(AdditionalAddressSchema, additional, ["address"], path));
    places.push([additional.address, joinPath(path, "address")]);
  }
  return places.flatMap(([address, path]) => decodeListenAddress(address, path, issues) ?? []);
}

/** What must be the same for an update to leave connections of unchanged chains alone. */
function digestFrame(message: Listener): string {
  const frame: Listener = { ...message, filterChains: [] };
  delete frame.defaultFilterChain;
  return digest(toBinary(ListenerSchema, frame));
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}

const CHAIN_FIELDS = [
  "filter_chain_match",
  "filters",
  "transport_socket",
  "transport_socket_connect_timeout",
  "metadata",
  "name",
];

function decodeChain(
  message: FilterChain,
  { path, listener }: { path: string; listener: Omit<ListenerInfo, "chainMetadata"> },
  issues: Issue[],
): FilterChainConfig | undefined {
  issues.push(...refuseFields(FilterChainSchema, message, CHAIN_FIELDS, path));
  const chainMetadata = decodeMetadata(message.metadata, joinPath(path, "metadata"), issues);
  const transportPath = joinPath(path, "transport_socket");
  const tls = decodeDownstreamTransport(message.transportSocket, transportPath, issues);
  const filters = decodeNetworkFilters(message.filters, path, issues);
  if (filters === undefined) return undefined;
  const { name } = message;
  const transportTimeoutMs = durationMs(message.transportSocketConnectTimeout) ?? 0;
  return {
    name,
    digest: digest(toBinary(FilterChainSchema, message)),
    match: decodeFilterChainMatch(
      message.filterChainMatch,
      joinPath(path, "filter_chain_match"),
      issues,
    ),
    ...filters,
    transport: tls && downstreamTls(spokenOnly(tls, filters.terminal.http)),
    transportTimeoutMs,
    listener: { ...listener, chainMetadata },
  };
}

/** The protocol that is agreed on must be one that is spoken then. */
function spokenOnly(tls: DownstreamTlsConfig, http: HttpConfig | undefined): DownstreamTlsConfig {
  if (http?.codec !== "HTTP1") return tls;
  return { ...tls, alpn: tls.alpn.filter((name) => name !== "h2") };
}
