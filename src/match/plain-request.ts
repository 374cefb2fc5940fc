import type { ConnectionInfo } from "./connection-info.ts";
import type { MatchHeaders, MatchRequest } from "./match-request.ts";
import { NO_RUNTIME } from "./runtime-reader.ts";

/** What is said of a request that is not on the wire; what is left out is empty. */
export interface RequestParts extends Partial<Omit<MatchRequest, "headers" | "connection">> {
  /** Name in lower case and value, in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly connection?: Partial<ConnectionInfo>;
}

const NOWHERE = { address: "", port: 0 };

/**
 * A request made of its parts, for whoever asks the matchers without one on the wire: a policy
 * over a connection alone, or a person who wants to know where a request would go.
 */
export function plainRequest(parts: RequestParts): MatchRequest {
  const { headers = [], connection, ...rest } = parts;
  const remote = connection?.remote ?? NOWHERE;
  return {
    method: "",
    path: "",
    authority: "",
    scheme: "",
    remote,
    runtime: NO_RUNTIME,
    dynamicMetadata: () => undefined,
    filterState: () => undefined,
    ...rest,
    headers: plainHeaders(headers),
    connection: {
      id: 0,
      filterChainName: "",
      listener: undefined,
      remote,
      directRemote: remote,
      local: NOWHERE,
      originalDestination: undefined,
      proxyTlvs: [],
      originalSource: undefined,
      serverName: "",
      transportProtocol: "raw_buffer",
      applicationProtocols: [],
      tls: undefined,
      transportFailure: "",
      ...connection,
    },
  };
}

/** Headers as a list of names, in lower case, and values. */
export function plainHeaders(
  entries: readonly (readonly [name: string, value: string])[],
): MatchHeaders {
  return {
    has: (name) => entries.some(([key]) => key === name),
    some: (name, test) => {
      const values = entries.filter(([key]) => key === name);
      return values.length === 0 ? undefined : values.some(([, value]) => test(value));
    },
  };
}
