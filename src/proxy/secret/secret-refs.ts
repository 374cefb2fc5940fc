import type { Issue } from "../../base/issue.ts";
import type { ClusterConfig } from "../cluster/cluster-config.ts";
import { allChains, type ListenerConfig } from "../listener/listener-config.ts";
import type { CommonTlsConfig, DownstreamTlsConfig, SecretRef } from "../tls/tls-config.ts";
import type { Secret } from "./secret.ts";

/** A secret that something asks for, and as what. */
export interface AskedSecret {
  readonly kind: Secret["kind"];
  readonly ref: SecretRef;
}

/** Where secrets may come from. */
export interface SecretOrigins {
  readonly statics: ReadonlyMap<string, Secret>;
  readonly hasAds: boolean;
  /** Clusters that a stream may be opened to. */
  readonly clusters: readonly { readonly name: string }[];
}

/** What a listener asks for. */
export function listenerSecretRefs(listener: ListenerConfig): AskedSecret[] {
  return allChains(listener).flatMap(({ transport }) =>
    transport === undefined ? [] : downstreamRefs(transport.tls),
  );
}

/** What a cluster asks for. */
export function clusterSecretRefs({ transport }: ClusterConfig): AskedSecret[] {
  if (transport === undefined) return [];
  const all = [transport.tls, ...transport.matches.map(({ tls }) => tls)];
  return all.flatMap((tls) => (tls === undefined ? [] : tlsSecretRefs(tls)));
}

function downstreamRefs(config: DownstreamTlsConfig): AskedSecret[] {
  const { ticketKeys } = config;
  const refs = tlsSecretRefs(config);
  return ticketKeys.kind === "inline"
    ? refs
    : [...refs, { kind: "ticketKeys", ref: ticketKeys.ref }];
}

/** What a context of either direction asks for. */
function tlsSecretRefs({ certificates, validationRef }: CommonTlsConfig): AskedSecret[] {
  const refs: AskedSecret[] = certificates.flatMap((given) =>
    given.kind === "inline" ? [] : { kind: "certificate", ref: given.ref },
  );
  return validationRef === undefined ? refs : [...refs, { kind: "validation", ref: validationRef }];
}

const UNKNOWN: Readonly<Record<Secret["kind"], string>> = {
  certificate: "Unknown static secret: ",
  validation: "Unknown static certificate validation context: ",
  ticketKeys: "Unknown tls session ticket keys: ",
};

/** What asks for a secret where there is none, in Envoy's words. */
export function checkSecretRefs(asked: readonly AskedSecret[], origins: SecretOrigins): Issue[] {
  return asked.flatMap(({ kind, ref: { name, source } }) => {
    if (source.kind === "static" && origins.statics.get(name)?.kind !== kind) {
      return { path: "", message: `${UNKNOWN[kind]}${name}` };
    }
    if (source.kind === "ads" && !origins.hasAds) {
      return {
        path: "",
        message: `secret ${name} is asked for over ADS, and there is no ads_config`,
      };
    }
    if (
      source.kind === "grpc" &&
      !origins.clusters.some((cluster) => cluster.name === source.cluster)
    ) {
      return {
        path: "",
        message: `Unknown gRPC client cluster '${source.cluster}' for secret ${name}`,
      };
    }
    return [];
  });
}
