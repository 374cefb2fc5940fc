import type { ListenerInfo } from "../../match/connection-info.ts";
import type { FilterChainCriteria, FilterChainSearch } from "../../match/filter-chain.ts";
import type { AccessLogConfig } from "../access-log/access-log.ts";
import type {
  ConnectionPredicate,
  ListenerFilterConfig,
} from "../listener-filter/listener-filter.ts";
import type {
  PassingFilterConfig,
  TerminalFilterConfig,
} from "../network-filter/network-filter.ts";
import type { DrainTraits } from "./drain.ts";
import type { ListenAddress } from "./listen-address.ts";
import type { TransportConfig } from "./transport.ts";

/** One chain of a listener. */
export interface FilterChainConfig extends FilterChainCriteria {
  /** Of the encoded chain: one with the same is the same. */
  readonly digest: string;
  /** What stands before the last filter, in order. */
  readonly filters: readonly PassingFilterConfig[];
  readonly terminal: TerminalFilterConfig;
  /** What its connections tell of where they came in. */
  readonly listener: ListenerInfo;
  /** `undefined`: plain text. */
  readonly transport: TransportConfig | undefined;
  /** For the handshake of the transport; 0 is none. */
  readonly transportTimeoutMs: number;
}

/** A listener filter with the connections that it passes over; `undefined`: none. */
export interface PlacedListenerFilter {
  readonly config: ListenerFilterConfig;
  readonly isDisabled: ConnectionPredicate | undefined;
}

/** A listener, decoded and checked. */
export interface ListenerConfig {
  readonly name: string;
  /** What statistics name it by; "" for its address. */
  readonly statPrefix: string;
  /** The first is the listener's own. */
  readonly addresses: readonly ListenAddress[];
  /** Whether it accepts by itself, or only takes what other listeners hand over. */
  readonly bindsToPort: boolean;
  /** Whether a connection goes to the listener of the address that it wanted, if there is one. */
  readonly usesOriginalDestination: boolean;
  /** Of its connections, whatever became of them. */
  readonly logs: readonly AccessLogConfig[];
  readonly listenerFilters: readonly PlacedListenerFilter[];
  /** For all listener filters together; 0 is none. */
  readonly listenerFiltersTimeoutMs: number;
  /** Whether a connection goes on when they took too long. */
  readonly continuesOnTimeout: boolean;
  readonly chains: readonly FilterChainConfig[];
  readonly findChain: FilterChainSearch<FilterChainConfig>;
  readonly defaultChain: FilterChainConfig | undefined;
  readonly backlog: number;
  /** Whether it is for what goes out, which makes spans those of a client. */
  readonly isOutbound: boolean;
  /** How much of a message is kept for a filter that waits for more of it, in HTTP/1.1. */
  readonly bufferBytesMax: number;
  /** Whether its connections and requests are taken however much there is to do. */
  readonly bypassesOverload: boolean;
  /** Whether its connections do not count among those that are limited together. */
  readonly ignoresConnectionLimit: boolean;
  readonly drain: DrainTraits;
  /** Of all but the chains: with the same digest only chains changed. */
  readonly frameDigest: string;
  /** The encoded resource: the same bytes mean that nothing changed. */
  readonly body: Uint8Array;
}

/** All chains, the default one last. */
export function allChains(config: ListenerConfig): readonly FilterChainConfig[] {
  return config.defaultChain === undefined
    ? config.chains
    : [...config.chains, config.defaultChain];
}
