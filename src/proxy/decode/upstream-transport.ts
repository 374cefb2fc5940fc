import type { TransportSocket } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  ProxyProtocolPassThroughTLVs_PassTLVsMatchType as MatchType,
  type ProxyProtocolConfig,
  ProxyProtocolConfigSchema,
  type ProxyProtocolPassThroughTLVs,
  ProxyProtocolPassThroughTLVsSchema,
  TlvEntrySchema,
  ProxyProtocolConfig_Version as Version,
} from "../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import {
  type ProxyProtocolUpstreamTransport,
  ProxyProtocolUpstreamTransportSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js";
import type { Issue } from "../../base/issue.ts";
import type { ProxyTlv } from "../../match/connection-info.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HostTransport } from "../cluster/cluster-transports.ts";
import { decodeExtension, extension } from "./extension.ts";
import { PLAIN_UPSTREAM, TLS_UPSTREAM } from "./tls-context.ts";

const PROXY_PROTOCOL = extension(ProxyProtocolUpstreamTransportSchema, decodeProxyProtocol);

/** Decodes what hosts are connected over; `undefined` is plain text. */
export function decodeHostTransport(
  message: TransportSocket | undefined,
  path: string,
  issues: Issue[],
): HostTransport | undefined {
  if (message === undefined) return undefined;
  const { name, configType } = message;
  const extensions = [PLAIN_UPSTREAM, TLS_UPSTREAM, PROXY_PROTOCOL];
  const found = decodeExtension(extensions, { name, any: configType.value, path }, issues);
  return found?.tls === undefined && found?.header === undefined ? undefined : found;
}

function decodeProxyProtocol(
  message: ProxyProtocolUpstreamTransport,
  path: string,
  issues: Issue[],
): HostTransport {
  const fields = ["config", "transport_socket"];
  issues.push(...refuseFields(ProxyProtocolUpstreamTransportSchema, message, fields, path));
  const { transportSocket: inner, config } = message;
  const innerPath = joinPath(path, "transport_socket");
  const named = inner && { name: inner.name, any: inner.configType.value, path: innerPath };
  const extensions = [PLAIN_UPSTREAM, TLS_UPSTREAM];
  const found = named && decodeExtension(extensions, named, issues);
  return { tls: found?.tls, header: decodeHeader(config, joinPath(path, "config"), issues) };
}

function decodeHeader(
  config: ProxyProtocolConfig | undefined,
  path: string,
  issues: Issue[],
): HostTransport["header"] {
  if (config === undefined) return { version: "V1", passes: () => false, added: [] };
  const fields = ["version", "pass_through_tlvs", "added_tlvs"];
  issues.push(...refuseFields(ProxyProtocolConfigSchema, config, fields, path));
  return {
    version: config.version === Version.V2 ? "V2" : "V1",
    passes: decodePassThrough(config.passThroughTlvs, joinPath(path, "pass_through_tlvs"), issues),
    added: config.addedTlvs.map((entry, at) => {
      const own = joinPath(path, `added_tlvs[${at}]`);
      issues.push(...refuseFields(TlvEntrySchema, entry, ["type", "value"], own));
      const { type, value } = entry;
      if (value.length === 0 && entry.formatString === undefined) {
        const what = "Invalid TLV configuration: one of 'value' or 'format_string' must be set.";
        issues.push({ path: own, message: what });
      }
      return { type, value: Buffer.from(value).toString("latin1") };
    }),
  };
}

/** Decodes which extensions of a PROXY header go on; none where nothing is said. */
export function decodePassThrough(
  message: ProxyProtocolPassThroughTLVs | undefined,
  path: string,
  issues: Issue[],
): (tlv: ProxyTlv) => boolean {
  if (message === undefined) return () => false;
  const fields = ["match_type", "tlv_type"];
  issues.push(...refuseFields(ProxyProtocolPassThroughTLVsSchema, message, fields, path));
  if (message.matchType === MatchType.INCLUDE_ALL) return () => true;
  const types = new Set(message.tlvType);
  return ({ type }) => types.has(type);
}
