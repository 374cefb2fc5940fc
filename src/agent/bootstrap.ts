import { isIPv4, isIPv6, parseHostPort } from "../base/ip.ts";
import type { AgentConfig } from "./agent-config.ts";

/** The cluster through which discovery is reached; Istio's name for it. */
const DISCOVERY_CLUSTER = "xds-grpc";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Envoy's own bound of 100 is so low that one route's `[^/]{1,64}` would have it refuse the routes
 * of all hosts; what RE2 itself bears is bounded where the configuration is checked.
 */
const REGEX_SIZE_MAX = 350_000;

/** `layered_runtime` of every proxy that an agent starts. */
export const PROXY_RUNTIME = {
  layers: [{ name: "weft", static_layer: { "re2.max_program_size.error_level": REGEX_SIZE_MAX } }],
};

type Json = Readonly<Record<string, unknown>>;

/**
 * Writes the Envoy v3 bootstrap of a pod's proxy, as JSON. weft's proxy and Envoy start with the
 * same one. `discoveryAddress` must be `host:port`.
 */
export function buildBootstrap(config: AgentConfig, version: string): Json {
  return {
    node: buildNode(config, version),
    admin: { address: socketAddress(config.podIp, config.adminPort) },
    layered_runtime: PROXY_RUNTIME,
    dynamic_resources: {
      // 0 waits for the first configuration however long it takes: a proxy that serves nothing
      // must not call itself ready.
      lds_config: { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" },
      cds_config: { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" },
      ads_config: {
        api_type: config.deltaXds === false ? "GRPC" : "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: DISCOVERY_CLUSTER } }],
      },
    },
    static_resources: { clusters: [discoveryCluster(config.discoveryAddress)] },
  };
}

function buildNode(config: AgentConfig, version: string): Json {
  const { type, podIp, podName, namespace, labels } = config;
  return {
    id: `${type}~${podIp}~${podName}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${labels["app"] ?? podName}.${namespace}`,
    metadata: {
      NAME: podName,
      NAMESPACE: namespace,
      LABELS: labels,
      SERVICE_ACCOUNT: config.serviceAccount,
      CLUSTER_ID: "Kubernetes",
      INTERCEPTION_MODE: "NONE",
      INSTANCE_IPS: podIp,
      ISTIO_VERSION: version,
      WEFT_PROXY: config.proxy,
      // Of Envoy its version says it.
      ...(config.proxy === "weft" ? { WEFT_ON_DEMAND: "true" } : {}),
      ...(config.proxyConfig === undefined ? {} : { PROXY_CONFIG: config.proxyConfig }),
      ...(config.appAddress === undefined ? {} : { WEFT_APP_ADDRESS: config.appAddress }),
      ...(config.hostPorts.length === 0 ? {} : { WEFT_HOST_PORTS: config.hostPorts }),
    },
  };
}

function discoveryCluster(address: string): Json {
  const { host = address, port = 0 } = parseHostPort(address) ?? {};
  const isAddress = isIPv4(host) || isIPv6(host);
  return {
    name: DISCOVERY_CLUSTER,
    type: isAddress ? "STATIC" : "STRICT_DNS",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        // A control plane that is gone without a word is noticed, so that another can be found.
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "10s" } },
        },
      },
    },
    load_assignment: {
      cluster_name: DISCOVERY_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(host, port) } }] }],
    },
  };
}

function socketAddress(address: string, port: number): Json {
  return { socket_address: { address, port_value: port } };
}
