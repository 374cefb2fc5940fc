import { canonicalText } from "../../match/subset-criteria.ts";
import type { UpstreamTlsConfig } from "../tls/tls-config.ts";
import { UpstreamTls, type UpstreamTlsDeps } from "../tls/upstream-tls.ts";
import type { Metadata } from "./cluster-config.ts";
import type { HopHeader, ProxyHeaderConfig } from "./host-dial.ts";

/** What a host is connected over, decoded. */
export interface HostTransport {
  /** `undefined` is plain text. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** What it is told first; `undefined` for nothing. */
  readonly header: ProxyHeaderConfig | undefined;
}

/** What the hosts of a cluster are connected over, decoded: its own part is for all without a match. */
export interface TransportConfig extends HostTransport {
  /** The first that a host has all criteria of. */
  readonly matches: readonly TransportMatch[];
}

/** A transport for hosts of some kind. */
export interface TransportMatch extends HostTransport {
  readonly name: string;
  /** What a host's metadata must say, in canonical form; nothing is asked of any host. */
  readonly criteria: readonly (readonly [key: string, value: string])[];
}

/** The namespace of endpoints' metadata that matches look at. */
export const TRANSPORT_MATCH_NAMESPACE = "envoy.transport_socket_match";

interface Over {
  readonly tls: UpstreamTls | undefined;
  readonly header: HopHeader | undefined;
}

interface Match extends Over {
  readonly criteria: TransportMatch["criteria"];
}

/** The transports of one cluster at run time. */
export class ClusterTransports {
  readonly #default: Over;
  readonly #matches: readonly Match[];
  readonly #all: readonly UpstreamTls[];

  /** `prefix` is that of the cluster's counters. */
  constructor(config: TransportConfig, prefix: string, deps: UpstreamTlsDeps) {
    const create = (tls: UpstreamTlsConfig | undefined): UpstreamTls | undefined =>
      tls && new UpstreamTls(tls, prefix, deps);
    const headed = (header: ProxyHeaderConfig | undefined): HopHeader | undefined => {
      if (header === undefined) return undefined;
      const name = `${prefix}.upstream.proxyprotocol`;
      const counters = deps.counters.get(name, { v2_tlvs_exceed_max_length: 0 });
      return { ...header, onOverlong: () => counters.v2_tlvs_exceed_max_length++ };
    };
    this.#default = { tls: create(config.tls), header: headed(config.header) };
    this.#matches = config.matches.map(({ criteria, tls, header }) => ({
      criteria,
      tls: create(tls),
      header: headed(header),
    }));
    const tls = [this.#default.tls, ...this.#matches.map((match) => match.tls)];
    this.#all = tls.filter((one) => one !== undefined);
  }

  /** Whether all secrets have come, or took too long. */
  get isReady(): boolean {
    return this.#all.every(({ isReady }) => isReady);
  }

  /** The TLS of a host by its metadata; `undefined` is plain text. */
  for(metadata: Metadata): UpstreamTls | undefined {
    return this.#find(metadata).tls;
  }

  /** What a host is told first, by its metadata; `undefined` for nothing. */
  headerFor(metadata: Metadata): HopHeader | undefined {
    return this.#find(metadata).header;
  }

  #find(metadata: Metadata): Over {
    if (this.#matches.length === 0) return this.#default;
    const values = metadata[TRANSPORT_MATCH_NAMESPACE] ?? {};
    const found = this.#matches.find(({ criteria }) =>
      criteria.every(([key, wanted]) => {
        const value = values[key];
        return value !== undefined && canonicalText(value) === wanted;
      }),
    );
    return found ?? this.#default;
  }

  close(): void {
    for (const tls of this.#all) tls.close();
  }
}
