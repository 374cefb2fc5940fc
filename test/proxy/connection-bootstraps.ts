import { socketAddress, staticCluster } from "./bootstrap-json.ts";
import { fixed } from "./cluster-bootstraps.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TRANSPORTS = "type.googleapis.com/envoy.extensions.transport_sockets";

/** A host with an address beside its first. */
function beside(port: number, address: string): object {
  const additional = [{ address: socketAddress(port, address) }];
  const endpoint = { address: socketAddress(9), additional_addresses: additional };
  const endpoints = [{ lb_endpoints: [{ endpoint }] }];
  const assignment = { load_assignment: { cluster_name: "up", endpoints } };
  return { static_resources: { clusters: [staticCluster("up", [], assignment)] } };
}

function happyEyeballs(config: object): object {
  return fixed({ upstream_connection_options: { happy_eyeballs_config: config } });
}

function preconnect(policy: object): object {
  return fixed({ preconnect_policy: policy });
}

function proxyProtocol(config: object): object {
  const raw = { "@type": `${TRANSPORTS}.raw_buffer.v3.RawBuffer` };
  const typedConfig = {
    "@type": `${TRANSPORTS}.proxy_protocol.v3.ProxyProtocolUpstreamTransport`,
    config,
    transport_socket: { name: "envoy.transport_sockets.raw_buffer", typed_config: raw },
  };
  const name = "envoy.transport_sockets.upstream_proxy_protocol";
  return fixed({ transport_socket: { name, typed_config: typedConfig } });
}

/** How hosts are connected to, fit to run in both proxies' eyes. */
export const ACCEPTED_CONNECTIONS: readonly (readonly [name: string, bootstrap: object])[] = [
  ["addresses beside the first", beside(10, "::1")],
  [
    "an order of addresses",
    happyEyeballs({ first_address_family_version: "V6", first_address_family_count: 2 }),
  ],
  [
    "connections made ahead",
    preconnect({ per_upstream_preconnect_ratio: 3, predictive_preconnect_ratio: 1.5 }),
  ],
  ["PROXY protocol to hosts", proxyProtocol({ version: "V2", pass_through_tlvs: {} })],
];

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "an address beside the first by name",
    beside(10, "a.test"),
    "additional_addresses[0].address: malformed IP address: a.test",
  ],
  [
    "an order of no addresses",
    happyEyeballs({ first_address_family_count: 0 }),
    "first_address_family_count: must be at least 1",
  ],
  [
    "more connections ahead than three",
    preconnect({ per_upstream_preconnect_ratio: 3.5 }),
    "per_upstream_preconnect_ratio: must be at most 3",
  ],
  [
    "fewer connections ahead than one",
    preconnect({ predictive_preconnect_ratio: 0.5 }),
    "predictive_preconnect_ratio: must be at least 1",
  ],
  [
    "an extension without a value",
    proxyProtocol({ version: "V2", added_tlvs: [{ type: 1 }] }),
    "Invalid TLV configuration: one of 'value' or 'format_string' must be set.",
  ],
  [
    "an extension of no type",
    proxyProtocol({ version: "V2", added_tlvs: [{ type: 256, value: "eA==" }] }),
    "added_tlvs[0].type: must be less than 256",
  ],
];

/** How hosts cannot be connected to, in both proxies' eyes. */
export const REFUSED_CONNECTIONS: readonly RefusedBootstrap[] = TABLE.map(
  ([name, bootstrap, message]) => ({ name, bootstrap, message }),
);
