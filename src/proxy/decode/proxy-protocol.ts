import { ProxyProtocolConfig_Version as Version } from "../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import {
  type ProxyProtocol,
  ProxyProtocolSchema,
} from "../../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { ListenerFilterConfig } from "../listener-filter/listener-filter.ts";
import { proxyProtocol } from "../listener-filter/proxy-protocol.ts";
import { decodePassThrough } from "./upstream-transport.ts";

const FIELDS = [
  "allow_requests_without_proxy_protocol",
  "disallowed_versions",
  "pass_through_tlvs",
  "stat_prefix",
];

/** Decodes a PROXY protocol filter; metadata from extensions is not built. */
export function decodeProxyProtocol(
  message: ProxyProtocol,
  path: string,
  issues: Issue[],
): ListenerFilterConfig {
  issues.push(...refuseFields(ProxyProtocolSchema, message, FIELDS, path));
  return proxyProtocol({
    statPrefix: message.statPrefix,
    passes: decodePassThrough(message.passThroughTlvs, joinPath(path, "pass_through_tlvs"), issues),
    isOptional: message.allowRequestsWithoutProxyProtocol,
    disallowed: new Set(
      message.disallowedVersions.map((version) => (version === Version.V1 ? "v1" : "v2")),
    ),
  });
}
