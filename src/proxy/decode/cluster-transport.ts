import {
  type Cluster,
  type Cluster_TransportSocketMatch,
  Cluster_TransportSocketMatchSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { canonicalText } from "../../match/subset-criteria.ts";
import type {
  HostTransport,
  TransportConfig,
  TransportMatch,
} from "../cluster/cluster-transports.ts";
import type { UpstreamOptions } from "./upstream-options.ts";
import { decodeHostTransport } from "./upstream-transport.ts";

/** Decodes what a cluster's hosts are connected over; `undefined` when all of them are plain. */
export function decodeClusterTransport(
  message: Cluster,
  { version, speaksHttp }: Pick<UpstreamOptions, "version" | "speaksHttp">,
  issues: Issue[],
): TransportConfig | undefined {
  const transport = decodeTransports(message, issues);
  if (version === "by ALPN" && transport?.tls === undefined && issues.length === 0) {
    const what = `ALPN configured for cluster ${message.name} which has a non-ALPN transport socket`;
    issues.push({ path: "transport_socket", message: what });
  }
  if (transport === undefined || version !== "HTTP/1.1" || !speaksHttp) return transport;
  const offered = <T extends HostTransport>(one: T): T => ({
    ...one,
    // What a host may choose must be what is spoken to it then.
    tls: one.tls && { ...one.tls, alpn: one.tls.alpn.filter((name) => name !== "h2") },
  });
  return { ...offered(transport), matches: transport.matches.map(offered) };
}

function decodeTransports(message: Cluster, issues: Issue[]): TransportConfig | undefined {
  const own = decodeHostTransport(message.transportSocket, "transport_socket", issues);
  const matches = message.transportSocketMatches.map((match, at) =>
    decodeMatch(match, `transport_socket_matches[${at}]`, issues),
  );
  if (own === undefined && matches.length === 0) return undefined;
  return { tls: own?.tls, header: own?.header, matches };
}

function decodeMatch(
  message: Cluster_TransportSocketMatch,
  path: string,
  issues: Issue[],
): TransportMatch {
  const fields = ["name", "match", "transport_socket"];
  issues.push(...refuseFields(Cluster_TransportSocketMatchSchema, message, fields, path));
  const { name, match, transportSocket } = message;
  if (name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const own = decodeHostTransport(transportSocket, joinPath(path, "transport_socket"), issues);
  return {
    name,
    criteria: Object.entries(match ?? {}).map(([key, value]) => [key, canonicalText(value)]),
    tls: own?.tls,
    header: own?.header,
  };
}
