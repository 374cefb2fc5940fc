import type { FilterChainCriteria } from "../../match/filter-chain.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { TcpProxyConfig } from "../network-filter/tcp-proxy.ts";

/** The filter that ends a chain, by what it makes of the bytes. */
export type NetworkFilter =
  | { readonly kind: "http"; readonly config: HttpConfig }
  | { readonly kind: "tcp"; readonly config: TcpProxyConfig };

/** One chain of a listener. */
export interface FilterChainConfig extends FilterChainCriteria {
  readonly filter: NetworkFilter;
}

/** A listener, decoded and checked. */
export interface ListenerConfig {
  readonly name: string;
  /** The first is the listener's own; all are bound. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly chains: readonly FilterChainConfig[];
  readonly defaultChain: FilterChainConfig | undefined;
  readonly backlog: number;
  /** The encoded resource: the same bytes mean that nothing changed. */
  readonly body: Uint8Array;
}
