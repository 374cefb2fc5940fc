import { create } from "@bufbuild/protobuf";
import {
  type Cluster,
  Cluster_PreconnectPolicySchema,
  UpstreamConnectionOptions_FirstAddressFamilyVersion as Family,
  type UpstreamConnectionOptions_HappyEyeballsConfig as HappyEyeballsConfig,
  UpstreamConnectionOptions_HappyEyeballsConfigSchema as HappyEyeballsConfigSchema,
  UpstreamConnectionOptionsSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  AddressSchema,
  BindConfigSchema,
  type TcpKeepalive,
  TcpKeepaliveSchema,
} from "../../api/gen/envoy/config/core/v3/address_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { ConnectionConfig } from "../cluster/cluster-config.ts";
import type { AddressOrder, FirstFamily } from "../net/address-order.ts";
import { canSetPace, type KeepAlive, NODE_PACE } from "../net/keep-alive.ts";
import { decodeAddress, refuseName } from "./address.ts";
import type { UpstreamOptions } from "./upstream-options.ts";

/** Linux's own time until it asks a silent peer. */
const KEEP_ALIVE_S = 7200;
/** What Linux takes. */
const PROBE_INTERVAL_S_MAX = 32_767;
const PROBES_MAX = 127;

const DEFAULT_ORDER: AddressOrder = { firstFamily: "DEFAULT", firstCount: 1 };

const FAMILIES: Readonly<Record<Family, FirstFamily>> = {
  [Family.DEFAULT]: "DEFAULT",
  [Family.V4]: "V4",
  [Family.V6]: "V6",
};

/** Decodes how a cluster's connections live. */
export function decodeConnection(
  message: Cluster,
  options: UpstreamOptions,
  issues: Issue[],
): ConnectionConfig {
  return {
    idleTimeoutMs: options.idleTimeoutMs,
    maxDurationMs: options.maxDurationMs,
    maxRequests: message.maxRequestsPerConnection ?? options.maxRequests,
    responseHeads: options.responseHeads,
    passesTrailers: options.passesTrailers,
    sendsFullUrl: options.sendsFullUrl,
    nameFormat: options.nameFormat,
    ...decodeOptions(message, issues),
    ...decodePreconnect(message, issues),
    sources: decodeBind(message, issues),
    names: options.names,
  };
}

function decodeOptions(
  { upstreamConnectionOptions: options }: Cluster,
  issues: Issue[],
): Pick<ConnectionConfig, "keepAlive" | "addressOrder"> {
  if (options === undefined) return { keepAlive: undefined, addressOrder: DEFAULT_ORDER };
  const path = "upstream_connection_options";
  const fields = ["tcp_keepalive", "happy_eyeballs_config"];
  issues.push(...refuseFields(UpstreamConnectionOptionsSchema, options, fields, path));
  const { tcpKeepalive, happyEyeballsConfig } = options;
  return {
    keepAlive: decodeKeepAlive(tcpKeepalive, joinPath(path, "tcp_keepalive"), issues),
    addressOrder: decodeOrder(happyEyeballsConfig, joinPath(path, "happy_eyeballs_config"), issues),
  };
}

/** A share of connections is a 32-bit float in Envoy; what it compares with depends on that. */
function decodePreconnect(
  { preconnectPolicy: policy }: Cluster,
  issues: Issue[],
): Pick<ConnectionConfig, "preconnectRatio" | "predictiveRatio"> {
  if (policy === undefined) return { preconnectRatio: 1, predictiveRatio: 0 };
  const fields = ["per_upstream_preconnect_ratio", "predictive_preconnect_ratio"];
  issues.push(...refuseFields(Cluster_PreconnectPolicySchema, policy, fields, "preconnect_policy"));
  return {
    preconnectRatio: Math.fround(policy.perUpstreamPreconnectRatio ?? 1),
    predictiveRatio: Math.fround(policy.predictivePreconnectRatio ?? 0),
  };
}

function decodeOrder(
  message: HappyEyeballsConfig | undefined,
  path: string,
  issues: Issue[],
): AddressOrder {
  if (message === undefined) return DEFAULT_ORDER;
  const fields = ["first_address_family_version", "first_address_family_count"];
  issues.push(...refuseFields(HappyEyeballsConfigSchema, message, fields, path));
  return {
    firstFamily: FAMILIES[message.firstAddressFamilyVersion] ?? "DEFAULT",
    firstCount: message.firstAddressFamilyCount ?? 1,
  };
}

/**
 * Node lets us say when the first probe goes. Ten more follow, one a second, whatever the system's
 * own settings are; other numbers take a call of the C library.
 */
function decodeKeepAlive(
  message: TcpKeepalive | undefined,
  path: string,
  issues: Issue[],
): KeepAlive | undefined {
  if (message === undefined) return undefined;
  const { keepaliveTime, keepaliveInterval, keepaliveProbes } = message;
  const fields = ["keepalive_time", "keepalive_interval", "keepalive_probes"];
  issues.push(...refuseFields(TcpKeepaliveSchema, message, fields, path));
  const fixed = [
    ["keepalive_interval", keepaliveInterval, NODE_PACE.intervalS, PROBE_INTERVAL_S_MAX],
    ["keepalive_probes", keepaliveProbes, NODE_PACE.probes, PROBES_MAX],
  ] as const;
  for (const [field, given, only, max] of fixed) {
    if (given === undefined || given === only) continue;
    const at = joinPath(path, field);
    if (given < 1 || given > max) {
      issues.push({ path: at, message: `${given} is not between 1 and ${max}` });
    } else if (!canSetPace()) {
      const what = `${given} takes Linux with koffi installed: npm install koffi; without it there is only ${only}`;
      issues.push({ path: at, message: what });
    }
  }
  return {
    idleS: keepaliveTime ?? KEEP_ALIVE_S,
    intervalS: keepaliveInterval ?? NODE_PACE.intervalS,
    probes: keepaliveProbes ?? NODE_PACE.probes,
  };
}

function decodeBind(
  { upstreamBindConfig: bind }: Cluster,
  issues: Issue[],
): ConnectionConfig["sources"] {
  if (bind?.sourceAddress === undefined) {
    if (bind !== undefined) {
      issues.push(...refuseFields(BindConfigSchema, bind, [], "upstream_bind_config"));
    }
    return [];
  }
  const path = "upstream_bind_config";
  const fields = ["source_address", "extra_source_addresses"];
  issues.push(...refuseFields(BindConfigSchema, bind, fields, path));
  const named = [
    { value: bind.sourceAddress, path: joinPath(path, "source_address") },
    ...bind.extraSourceAddresses.map(({ address: value }, at) => ({
      value,
      path: joinPath(path, `extra_source_addresses[${at}].address`),
    })),
  ];
  const [first, second, ...more] = named.flatMap(({ value, path: at }) => {
    if (value === undefined) return [];
    const wrapped = create(AddressSchema, { address: { case: "socketAddress", value } });
    const address = decodeAddress(wrapped, at, issues);
    if (address === undefined) return [];
    refuseName(address, at, issues);
    return [{ address: address.host, port: address.port }];
  });
  if (first === undefined) return [];
  if (second === undefined) return [first];
  if (more.length > 0 || first.address.includes(":") === second.address.includes(":")) {
    const what = "may have one address besides source_address, of the other IP version";
    issues.push({ path: joinPath(path, "extra_source_addresses"), message: what });
  }
  return [first, second];
}
