import { ProxyProtocolConfig_Version as Version } from "../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import {
  type ProxyProtocol,
  ProxyProtocolSchema,
} from "../../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import type { Issue } from "../../base/issue.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { ListenerFilterConfig } from "../listener-filter/listener-filter.ts";
import { proxyProtocol } from "../listener-filter/proxy-protocol.ts";

const FIELDS = ["allow_requests_without_proxy_protocol", "disallowed_versions", "stat_prefix"];

/** Decodes a PROXY protocol filter; what it would do with extensions is not built. */
export function decodeProxyProtocol(
  message: ProxyProtocol,
  path: string,
  issues: Issue[],
): ListenerFilterConfig {
  issues.push(...refuseFields(ProxyProtocolSchema, message, FIELDS, path));
  return proxyProtocol({
    statPrefix: message.statPrefix,
    isOptional: message.allowRequestsWithoutProxyProtocol,
    disallowed: new Set(
      message.disallowedVersions.map((version) => (version === Version.V1 ? "v1" : "v2")),
    ),
  });
}
