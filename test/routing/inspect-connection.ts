import type { ListenerFilterChainMatchPredicate } from "../../src/api/gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { HttpInspectorSchema } from "../../src/api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { TlsInspectorSchema } from "../../src/api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { typeUrlOf } from "../../src/api/type-url.ts";
import type { ConnectionInfo } from "../../src/match/connection-info.ts";
import { plainRequest } from "../../src/match/plain-request.ts";
import type { FullCall } from "./call.ts";

/** What the HTTP inspector calls what it finds on plain text. */
const FOUND_PROTOCOL = { http: ["http/1.1"], http2: ["h2c"], tcp: [] } as const;

/** What is known of a call's connection when its filter chain is chosen. */
export function inspectConnection(listener: Listener, call: FullCall): ConnectionInfo {
  const base: Partial<ConnectionInfo> = {
    remote: { address: call.from, port: 50_000 },
    local: { address: call.address, port: call.port },
  };
  const { connection } = plainRequest({ connection: base });
  const runs = (typeUrl: string) => hasFilter(listener, typeUrl, call.port);
  if (call.tls !== "plaintext" && runs(typeUrlOf(TlsInspectorSchema))) {
    const applicationProtocols = call.alpn === "" ? [] : call.alpn.split(",");
    const serverName = call.sni.toLowerCase();
    return { ...connection, transportProtocol: "tls", serverName, applicationProtocols };
  }
  if (call.tls === "plaintext" && runs(typeUrlOf(HttpInspectorSchema))) {
    return { ...connection, applicationProtocols: FOUND_PROTOCOL[call.protocol] };
  }
  return connection;
}

function hasFilter({ listenerFilters }: Listener, typeUrl: string, port: number): boolean {
  return listenerFilters.some(
    ({ configType, filterDisabled }) =>
      configType.case === "typedConfig" &&
      configType.value.typeUrl === typeUrl &&
      !(filterDisabled !== undefined && holds(filterDisabled, port)),
  );
}

/** Whether a predicate of listener filters holds for a destination port, all that those look at. */
function holds({ rule }: ListenerFilterChainMatchPredicate, port: number): boolean {
  switch (rule.case) {
    case "orMatch":
      return rule.value.rules.some((one) => holds(one, port));
    case "andMatch":
      return rule.value.rules.every((one) => holds(one, port));
    case "notMatch":
      return !holds(rule.value, port);
    case "anyMatch":
      return rule.value;
    case "destinationPortRange":
      return port >= rule.value.start && port < rule.value.end;
    case undefined:
      throw new Error("a predicate of a listener filter has no rule");
  }
}
