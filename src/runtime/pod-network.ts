import { formatIpv4, parseIpv4 } from "../base/ip.ts";

/** The two addresses of a pod. */
export interface PodAddresses {
  /** Where the pod is reached. */
  readonly podIp: string;
  /** Where the app behind a sidecar listens; published nowhere. */
  readonly appAddress: string;
}

/** Pods get the lower half of the /16, their apps the same places in the upper one. */
const HALF = 0x8000;
/** The network's own address and the one that holds the claim stay free. */
const FIRST = 2;

/**
 * Hands out pod addresses of one /16 of 127.0.0.0/8, each to one pod at a time. An address that was
 * given back is taken again as late as possible: proxies may still know its last owner.
 */
export class PodNetwork {
  readonly cidr: string;
  readonly #base: number;
  readonly #taken = new Set<number>();
  #next = FIRST;

  /** `cidr` must be one that `parsePodCidr` accepts. */
  constructor(cidr: string) {
    const base = parsePodCidr(cidr);
    if (base === undefined) throw new Error(`not a /16 of 127.0.0.0/8: ${cidr}`);
    this.cidr = cidr;
    this.#base = base;
  }

  /** `undefined` when all are taken. */
  allocate(): PodAddresses | undefined {
    for (let tries = FIRST; tries < HALF; tries++) {
      const offset = this.#next;
      this.#next = offset + 1 === HALF ? FIRST : offset + 1;
      if (this.#taken.has(offset)) continue;
      this.#taken.add(offset);
      return {
        podIp: formatIpv4(this.#base + offset),
        appAddress: formatIpv4(this.#base + HALF + offset),
      };
    }
    return undefined;
  }

  release({ podIp }: PodAddresses): void {
    const address = parseIpv4(podIp);
    if (address !== undefined) this.#taken.delete(address - this.#base);
  }
}

/** The first address of a `127.x.0.0/16`, or `undefined`. */
export function parsePodCidr(cidr: string): number | undefined {
  const match = /^(127\.\d{1,3}\.0\.0)\/16$/.exec(cidr);
  // 127.0.0.0/16 holds 127.0.0.1, where everybody listens.
  if (match?.[1] === undefined || match[1] === "127.0.0.0") return undefined;
  return parseIpv4(match[1]);
}
