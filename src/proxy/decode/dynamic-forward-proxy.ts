import {
  FilterConfigSchema,
  PerRouteConfigSchema,
} from "../../api/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js";
import {
  type FilterConfig as SniConfig,
  FilterConfigSchema as SniConfigSchema,
} from "../../api/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  DynamicForwardProxyFilter,
  type ForwardSettings,
} from "../http-filter/dynamic-forward-proxy.ts";
import type { PassingFilterConfig } from "../network-filter/network-filter.ts";
import { sniDynamicForwardProxy } from "../network-filter/sni-dynamic-forward-proxy.ts";
import { decodeDnsCache } from "./dns-cache.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.dynamic_forward_proxy` in a connection manager. */
export const DYNAMIC_FORWARD_PROXY = extension(FilterConfigSchema, (message, path, issues) => {
  // The address would be kept in filter state, which nothing reads.
  issues.push(...refuseFields(FilterConfigSchema, message, ["dns_cache_config"], path));
  const { implementationSpecifier: specifier } = message;
  if (specifier.case !== "dnsCacheConfig") {
    if (specifier.case === undefined) issues.push({ path, message: "has no dns_cache_config" });
    return undefined;
  }
  const config = decodeDnsCache(specifier.value, joinPath(path, "dns_cache_config"), issues);
  return {
    open: ({ name, context }: FilterScope) => {
      const cache = context.dnsCaches.get(config);
      return (stream: FilterStream) => new DynamicForwardProxyFilter(stream, name, cache);
    },
  };
});

/** What a route says to it. */
export const FORWARD_OF_ROUTE = extension(
  PerRouteConfigSchema,
  (message, path, issues): ForwardSettings => {
    const fields = ["host_rewrite_literal", "host_rewrite_header"];
    issues.push(...refuseFields(PerRouteConfigSchema, message, fields, path));
    const { hostRewriteSpecifier: rewrite } = message;
    return {
      filter: "dynamic_forward_proxy",
      literal: rewrite.case === "hostRewriteLiteral" ? wireText(rewrite.value) : "",
      header: rewrite.case === "hostRewriteHeader" ? wireText(rewrite.value).toLowerCase() : "",
    };
  },
);

const SNI_PORT = 443;

/** Decodes the network filter that looks up what a ClientHello names. */
export function decodeSniForward(
  message: SniConfig,
  path: string,
  issues: Issue[],
): PassingFilterConfig | undefined {
  issues.push(...refuseFields(SniConfigSchema, message, ["dns_cache_config", "port_value"], path));
  const { dnsCacheConfig, portSpecifier: port } = message;
  // Without one it breaks a rule of the .proto file, which is checked after.
  if (dnsCacheConfig === undefined) return undefined;
  const config = decodeDnsCache(dnsCacheConfig, joinPath(path, "dns_cache_config"), issues);
  return sniDynamicForwardProxy(config, port.case === "portValue" ? port.value : SNI_PORT);
}
