import { formatHostPort } from "../../base/ip.ts";
import type { HashPolicy } from "../../match/hash-policy.ts";
import type { MatchRequest } from "../../match/match-request.ts";
import { type Hash64, HashCell } from "../balance/hash64.ts";
import { xxHash64 } from "../balance/xx-hash.ts";
import { findCookie } from "./cookie.ts";

/** What the hash policies of a route make of requests, one after the other. */
export class RequestHash {
  readonly #hash = new HashCell();
  readonly #part = new HashCell();
  readonly #values: string[] = [];
  /** The `set-cookie`s for a client that lacks a cookie that is hashed: one for each choice. */
  readonly setCookies: string[] = [];

  /** A new request. */
  begin(): void {
    this.setCookies.length = 0;
  }

  /** The hash; `undefined` when no policy finds anything. It is valid until the next call. */
  compute(policies: readonly HashPolicy[], request: MatchRequest): Hash64 | undefined {
    const hash = this.#hash;
    const part = this.#part;
    let hasHash = false;
    hash.high = 0;
    hash.low = 0;
    for (const policy of policies) {
      if (this.#evaluate(policy, request)) {
        hasHash = true;
        // Turned by one bit, so that the same thing twice does not cancel itself out.
        const high = ((hash.high << 1) | (hash.low >>> 31)) ^ part.high;
        hash.low = (((hash.low << 1) | (hash.high >>> 31)) ^ part.low) >>> 0;
        hash.high = high >>> 0;
      }
      if (policy.isTerminal && hasHash) break;
    }
    return hasHash ? hash : undefined;
  }

  /** Hashes what one policy looks at; false when it is not there. */
  #evaluate(policy: HashPolicy, request: MatchRequest): boolean {
    switch (policy.kind) {
      case "header":
        return this.#hashHeader(policy, request);
      case "cookie": {
        const value = findCookie(request.headers, policy.name);
        if (value !== "") xxHash64(value, this.#part);
        else if (policy.generate !== undefined) this.#makeCookie(policy.generate, request);
        else return false;
        return true;
      }
      case "source_ip": {
        const { address } = request.remote;
        // The path of a Unix socket is none.
        if (address === "" || address.startsWith("/")) return false;
        xxHash64(address, this.#part);
        return true;
      }
      case "query": {
        const value = policy.find(request);
        if (value === undefined) return false;
        xxHash64(value, this.#part);
        return true;
      }
      case "filter_state": {
        const value = request.filterState(policy.key)?.hashed;
        if (value === undefined) return false;
        xxHash64(value, this.#part);
        return true;
      }
    }
  }

  #hashHeader(
    { collect, rewrite }: Extract<HashPolicy, { kind: "header" }>,
    request: MatchRequest,
  ): boolean {
    const values = this.#values;
    values.length = 0;
    collect(request, values);
    if (values.length === 0) return false;
    if (rewrite !== undefined) {
      for (const [at, value] of values.entries()) values[at] = rewrite(value);
    }
    if (values.length > 1) values.sort();
    const part = this.#part;
    part.high = 0;
    part.low = 0;
    for (const value of values) xxHash64(value, part, part);
    return true;
  }

  /** The same for all requests of a connection, so that it does not matter which is answered first. */
  #makeCookie(generate: (value: string) => string, { connection }: MatchRequest): void {
    const { remote, local } = connection;
    const part = this.#part;
    const ends =
      formatHostPort(remote.address, remote.port) + formatHostPort(local.address, local.port);
    xxHash64(ends, part);
    const value = hex(part.high) + hex(part.low);
    this.setCookies.push(generate(value));
    xxHash64(value, part);
  }
}

function hex(half: number): string {
  return half.toString(16).padStart(8, "0");
}
