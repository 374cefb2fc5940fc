import { canonicalText } from "../../match/subset-criteria.ts";
import type { UpstreamTlsConfig } from "../tls/tls-config.ts";
import { UpstreamTls, type UpstreamTlsDeps } from "../tls/upstream-tls.ts";
import type { Metadata } from "./cluster-config.ts";

/** What the hosts of a cluster are connected over, decoded. */
export interface TransportConfig {
  /** For hosts that no match is for; `undefined` is plain text. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** The first that a host has all criteria of. */
  readonly matches: readonly TransportMatch[];
}

/** A transport for hosts of some kind. */
export interface TransportMatch {
  readonly name: string;
  /** What a host's metadata must say, in canonical form; nothing is asked of any host. */
  readonly criteria: readonly (readonly [key: string, value: string])[];
  readonly tls: UpstreamTlsConfig | undefined;
}

/** The namespace of endpoints' metadata that matches look at. */
export const TRANSPORT_MATCH_NAMESPACE = "envoy.transport_socket_match";

interface Match {
  readonly criteria: TransportMatch["criteria"];
  readonly tls: UpstreamTls | undefined;
}

/** The transports of one cluster at run time. */
export class ClusterTransports {
  readonly #default: UpstreamTls | undefined;
  readonly #matches: readonly Match[];
  readonly #all: readonly UpstreamTls[];

  /** `prefix` is that of the cluster's counters. */
  constructor(config: TransportConfig, prefix: string, deps: UpstreamTlsDeps) {
    const create = (tls: UpstreamTlsConfig | undefined): UpstreamTls | undefined =>
      tls && new UpstreamTls(tls, prefix, deps);
    this.#default = create(config.tls);
    this.#matches = config.matches.map(({ criteria, tls }) => ({ criteria, tls: create(tls) }));
    const tls = [this.#default, ...this.#matches.map((match) => match.tls)];
    this.#all = tls.filter((one) => one !== undefined);
  }

  /** Whether all secrets have come, or took too long. */
  get isReady(): boolean {
    return this.#all.every(({ isReady }) => isReady);
  }

  /** The transport of a host by its metadata; `undefined` is plain text. */
  for(metadata: Metadata): UpstreamTls | undefined {
    if (this.#matches.length === 0) return this.#default;
    const values = metadata[TRANSPORT_MATCH_NAMESPACE] ?? {};
    const found = this.#matches.find(({ criteria }) =>
      criteria.every(([key, wanted]) => {
        const value = values[key];
        return value !== undefined && canonicalText(value) === wanted;
      }),
    );
    return found === undefined ? this.#default : found.tls;
  }

  close(): void {
    for (const tls of this.#all) tls.close();
  }
}
