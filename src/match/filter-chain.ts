import type { MatchRecorder } from "./match-request.ts";

/** What a filter chain asks of a connection. Only the port is built. */
export interface FilterChainCriteria {
  readonly name: string;
  /** `undefined`: any. */
  readonly destinationPort: number | undefined;
}

/** The chain for a connection to `port`: the one that names it, or the one that names none. */
export function matchFilterChain<Chain extends FilterChainCriteria>(
  chains: readonly Chain[],
  port: number,
  recorder?: MatchRecorder,
): Chain | undefined {
  const found =
    chains.find((chain) => chain.destinationPort === port) ??
    chains.find((chain) => chain.destinationPort === undefined);
  if (recorder !== undefined) {
    for (const chain of chains) {
      if (chain === found) continue;
      recorder.lost(`filter chain ${chain.name}`, `destination port ${chain.destinationPort}`);
    }
  }
  return found;
}
