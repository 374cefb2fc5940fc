import { parseCidr } from "../../base/cidr.ts";
import { isIPv6 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import {
  type FilterChain,
  type FilterChainMatch,
  type HttpChain,
  type ListenAddress,
  type Listener,
  NO_INSPECTION,
  type TcpChain,
} from "../listener.ts";
import type { Origin } from "../origin.ts";
import type { Service } from "../service.ts";
import { ANY_V4 } from "./service-address.ts";

/** What a listener speaks so far; `auto` looks at what comes. */
export type ListenerProtocol = "http" | "tcp" | "auto";

/** A chain, and what it asks of a connection as it was written. */
export interface ChainDraft {
  readonly sniHosts: readonly string[];
  /** Addresses and CIDR ranges. */
  readonly subnets: readonly string[];
  /** Only what the HTTP inspector finds to be HTTP on plain text. */
  readonly isForPlainHttp: boolean;
  readonly filter: HttpChain | TcpChain;
  readonly origins: readonly Origin[];
}

/** A listener in the making: one address and port, for all services that are there. */
export interface ListenerEntry {
  /** The first is the listener's own, and in its name. */
  readonly binds: readonly [string, ...string[]];
  readonly port: number;
  readonly isBound: boolean;
  /** The service that came first. */
  readonly owner: Service;
  protocol: ListenerProtocol;
  /** Later egress listeners add nothing. */
  isLocked: boolean;
  chains: readonly ChainDraft[];
}

/** What the HTTP inspector says it found. */
export const PLAIN_HTTP = ["http/1.0", "http/1.1", "h2c"] as const;

/** The name of the chain for what no other chain takes (Istio's). */
const PASSTHROUGH_CHAIN = "PassthroughFilterChain";

const UNIX = "unix://";

/** Whether an address is a socket file. */
export function isUnixSocket(bind: string): boolean {
  return bind.startsWith(UNIX);
}

/** A listener's name: where it is. A socket file has no port. */
export function listenerName(bind: string, port: number): string {
  return isUnixSocket(bind) ? bind : `${bind}_${port}`;
}

/** The draft of a chain that is for plain HTTP where others share the listener. */
export function forPlainHttp(draft: ChainDraft): ChainDraft {
  return { ...draft, isForPlainHttp: true };
}

/**
 * Adds chains, without what chains ask for that are there: a proxy refuses a listener two of whose
 * chains ask for the same. Answers whether nothing had to be left out.
 */
export function addChains(entry: ListenerEntry, drafts: readonly ChainDraft[]): boolean {
  const taken = new Set(entry.chains.flatMap(askedFor));
  const chains = [...entry.chains];
  let isWhole = true;
  for (const draft of drafts) {
    const rest = without(draft, taken);
    if (rest !== draft) isWhole = false;
    if (rest === undefined) continue;
    for (const asked of askedFor(rest)) taken.add(asked);
    chains.push(rest);
  }
  entry.chains = chains;
  return isWhole;
}

/** What is left of a chain when others have taken some of what it asks for. */
function without(draft: ChainDraft, taken: ReadonlySet<string>): ChainDraft | undefined {
  const isFree = (part: ChainDraft): boolean => askedFor(part).every((one) => !taken.has(one));
  if (isFree(draft)) return draft;
  if (namesOf(draft).length > 0) {
    const sniHosts = draft.sniHosts.filter((name) => isFree({ ...draft, sniHosts: [name] }));
    return sniHosts.length === 0 ? undefined : { ...draft, sniHosts };
  }
  const subnets = draft.subnets.filter((subnet) => isFree({ ...draft, subnets: [subnet] }));
  return subnets.length === 0 ? undefined : { ...draft, subnets };
}

/** Each thing that a chain asks for; the same for the same connections, however it is written. */
function askedFor(draft: ChainDraft): readonly string[] {
  const names = namesOf(draft);
  const blocks = prefixesOf(draft).map((subnet) => blockOf(subnet) ?? subnet);
  return (names.length === 0 ? ["*"] : names).flatMap((name) =>
    (blocks.length === 0 ? ["*"] : blocks).map(
      (block) => `${draft.isForPlainHttp ? "http" : ""} ${name} ${block}`,
    ),
  );
}

/** A name that stands for all asks for nothing. */
function namesOf({ sniHosts }: ChainDraft): readonly string[] {
  return sniHosts.includes("*") ? [] : [...new Set(sniHosts)].sort();
}

/** An address that stands for all asks for nothing. */
function prefixesOf({ subnets }: ChainDraft): readonly string[] {
  return [...new Set(subnets)].filter((subnet) => !subnet.startsWith(ANY_V4)).sort();
}

function blockOf(subnet: string): string | undefined {
  const [address = "", length] = subnet.split("/");
  const bits = length === undefined ? (isIPv6(address) ? 128 : 32) : Number(length);
  return parseCidr(address, bits)?.text;
}

/** The listener of an entry; what no chain takes goes to `unknown`. */
export function buildListener(
  { binds, port, isBound, owner, chains: drafts }: ListenerEntry,
  { unknown, detectionTimeoutMs }: { unknown: TcpChain; detectionTimeoutMs: number },
): Listener {
  const [primary, ...extra] = binds;
  const name = listenerName(primary, port);
  const chains = drafts.map((draft) => chainOf(draft, name));
  const all = chains.find(({ match }) => Object.keys(match).length === 0);
  const some = chains.filter((chain) => chain !== all);
  const isHttpTried = drafts.some(({ isForPlainHttp }) => isForPlainHttp);
  return kept(owner, {
    name,
    direction: "outbound",
    address: addressOf(primary, port),
    additionalAddresses: extra.map((bind) => addressOf(bind, port)),
    isBound,
    isCapturing: false,
    inspection: {
      ...NO_INSPECTION,
      // With HTTP too: else Envoy adds it by itself to chains that ask for a protocol.
      tls: isHttpTried || drafts.some(({ sniHosts }) => sniHosts.length > 0),
      http: isHttpTried,
    },
    chains: some.length === 0 && all !== undefined ? [all] : some,
    defaultChain: some.length === 0 ? undefined : (all ?? fallback(unknown)),
    inspectionTimeoutMs: isHttpTried ? detectionTimeoutMs : 0,
    keepalive: undefined,
    origins: uniqueOrigins(drafts),
  });
}

/** The address of a listener. */
export function addressOf(bind: string, port: number): ListenAddress {
  return isUnixSocket(bind) ? { path: bind.slice(UNIX.length) } : { address: bind, port };
}

/** The chain for what nobody knows. */
function fallback(filter: TcpChain): FilterChain {
  return { name: PASSTHROUGH_CHAIN, match: {}, tls: undefined, filter, origins: [] };
}

function chainOf(draft: ChainDraft, listener: string): FilterChain {
  const { filter, origins } = draft;
  const named = filter.type === "http" ? { ...filter, statPrefix: `outbound_${listener}` } : filter;
  return { name: "", match: matchOf(draft), tls: undefined, filter: named, origins };
}

function matchOf(draft: ChainDraft): FilterChainMatch {
  const names = namesOf(draft);
  const prefixes = prefixesOf(draft);
  return {
    ...(names.length > 0 && { serverNames: names }),
    ...(prefixes.length > 0 && { prefixRanges: prefixes }),
    ...(draft.isForPlainHttp && {
      applicationProtocols: PLAIN_HTTP,
      transportProtocol: "raw_buffer" as const,
    }),
  };
}

function uniqueOrigins(drafts: readonly ChainDraft[]): readonly Origin[] {
  const origins = new Map<string, Origin>();
  for (const origin of drafts.flatMap((draft) => draft.origins)) {
    const { key, path } = origin;
    origins.set(`${key.kind} ${key.namespace} ${key.name} ${path}`, origin);
  }
  return [...origins.values()];
}

/** How many forms of one listener are remembered, for clients that differ. */
const FORMS_MAX = 8;

/** The earlier listener where it is equal, so that it is not encoded again. */
function kept(owner: Service, listener: Listener): Listener {
  const forms = formsOf(owner, listener.name);
  const text = JSON.stringify(listener);
  const earlier = forms.get(text);
  if (earlier !== undefined) return earlier;
  if (forms.size >= FORMS_MAX) forms.clear();
  forms.set(text, listener);
  return listener;
}

const formsOf = memoise((_owner: Service, _name: string) => new Map<string, Listener>());
