import { lookup, Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { DnsConfig, LookupFamily, NameServerConfig } from "./cluster-config.ts";

/** An address of a name. */
export interface ResolvedAddress {
  readonly address: string;
  /** Seconds that it may be kept; 0 where nobody says. */
  readonly ttlS: number;
}

/** Resolves names for one cluster. */
export interface NameResolver {
  /** The addresses; none when the name has none. Rejects when nobody could say. */
  resolve(name: string): Promise<readonly ResolvedAddress[]>;
  /** Gives up what is being asked. */
  close(): void;
}

/** What DNS says when there is no such name, or no such record of it. */
const ABSENT: ReadonlySet<unknown> = new Set(["ENOTFOUND", "ENODATA"]);
/** Node's resolver asks each server so often, and waits so long at first. */
const ATTEMPTS = 4;
const ATTEMPT_MS = 5000;

const HOSTS_FILE = "/etc/hosts";
const RESOLVER_FILE = "/etc/resolv.conf";

/** Creates the resolver of a cluster, as its configuration says. */
export function createNameResolver({ family, resolver }: DnsConfig): NameResolver {
  if (resolver.kind === "name_servers") return new ServerResolver(family, resolver);
  const ask: Ask = async (name, version) => {
    const found = await lookupAddresses(name, version);
    return found.length === 0 && isLocalhost(name) ? [LOOPBACK[version]] : found;
  };
  return { resolve: (name) => resolveFamily(family, name, ask), close: () => undefined };
}

/** What `localhost` and all below it mean, whoever is asked (RFC 6761 6.3; so has it c-ares). */
const LOOPBACK: Readonly<Record<4 | 6, ResolvedAddress>> = {
  4: { address: "127.0.0.1", ttlS: 0 },
  6: { address: "::1", ttlS: 0 },
};

function isLocalhost(name: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(name);
}

type Ask = (name: string, version: 4 | 6) => Promise<readonly ResolvedAddress[]>;

/**
 * Asks for the addresses of the family, in Envoy's order. Where one version has no addresses and
 * the other could not be asked for, nobody knows.
 */
export async function resolveFamily(
  family: LookupFamily,
  name: string,
  ask: Ask,
): Promise<readonly ResolvedAddress[]> {
  switch (family) {
    case "V4_ONLY":
      return ask(name, 4);
    case "V6_ONLY":
      return ask(name, 6);
    case "AUTO":
      return askEither(name, ask, 6, 4);
    case "V4_PREFERRED":
      return askEither(name, ask, 4, 6);
    case "ALL":
      return together(await Promise.allSettled([ask(name, 4), ask(name, 6)]));
  }
}

async function askEither(
  name: string,
  ask: Ask,
  first: 4 | 6,
  second: 4 | 6,
): Promise<readonly ResolvedAddress[]> {
  const [one] = await Promise.allSettled([ask(name, first)]);
  if (one.status === "fulfilled" && one.value.length > 0) return one.value;
  const [other] = await Promise.allSettled([ask(name, second)]);
  return together([one, other]);
}

type Answer = PromiseSettledResult<readonly ResolvedAddress[]>;

function together(answers: readonly Answer[]): readonly ResolvedAddress[] {
  const found = answers.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  const [failed] = answers.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (found.length === 0 && failed !== undefined) throw failed;
  return found;
}

/** By the machine's resolver: its hosts file, its servers, its search list. */
async function lookupAddresses(name: string, family: 4 | 6): Promise<readonly ResolvedAddress[]> {
  try {
    const found = await lookup(name, { all: true, family });
    return found.map(({ address }) => ({ address, ttlS: 0 }));
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return [];
    throw error;
  }
}

/** By name servers, asked directly; the hosts file comes first and the search list counts. */
class ServerResolver implements NameResolver {
  readonly #family: LookupFamily;
  readonly #config: NameServerConfig;
  readonly #resolver = new Resolver({ timeout: ATTEMPT_MS, tries: ATTEMPTS });

  constructor(family: LookupFamily, config: NameServerConfig) {
    this.#family = family;
    this.#config = config;
    const servers = serversToAsk(config, this.#resolver.getServers());
    if (servers !== undefined) this.#resolver.setServers(servers);
  }

  async resolve(name: string): Promise<readonly ResolvedAddress[]> {
    const hosts = readLines(HOSTS_FILE);
    const search = this.#config.searches ? searchList(readLines(RESOLVER_FILE)) : NO_SEARCH;
    const routable = this.#config.skipsUnroutable ? routableVersions() : ALL_VERSIONS;
    return resolveFamily(this.#family, name, async (asked, version) => {
      if (!routable.has(version)) return [];
      const literal = literalAddress(asked, version);
      if (literal !== undefined) return [literal];
      const listed = hostsEntries(hosts, asked, version);
      if (listed.length > 0) return listed;
      return isLocalhost(asked) ? [LOOPBACK[version]] : this.#search(asked, version, search);
    });
  }

  /** The first of the names that the search list makes which has addresses. */
  async #search(
    name: string,
    version: 4 | 6,
    search: SearchList,
  ): Promise<readonly ResolvedAddress[]> {
    for (const full of candidates(name, search)) {
      const found = await this.#query(full, version);
      if (found.length > 0) return found;
    }
    return [];
  }

  async #query(name: string, version: 4 | 6): Promise<readonly ResolvedAddress[]> {
    const resolver = this.#resolver;
    const options = { ttl: true } as const;
    try {
      const records =
        version === 4 ? resolver.resolve4(name, options) : resolver.resolve6(name, options);
      const all = await records;
      // Of many addresses only the first 256 come with their time to live, which all share.
      const sharedS = all[0]?.ttl ?? 0;
      return all.map(({ address, ttl }: UnsureRecord) => ({ address, ttlS: ttl ?? sharedS }));
    } catch (error) {
      if (ABSENT.has(codeOf(error))) return [];
      throw error;
    }
  }

  close(): void {
    this.#resolver.cancel();
  }
}

/** Which servers to set in place of the machine's; `undefined` for none. */
export function serversToAsk(
  { servers, areFallback }: NameServerConfig,
  machine: readonly string[],
): readonly string[] | undefined {
  if (servers.length === 0) return undefined;
  // What is taken where the machine says nothing.
  const hasOwn = machine.some((server) => server !== "127.0.0.1");
  return areFallback && hasOwn ? undefined : servers;
}

const ALL_VERSIONS: ReadonlySet<4 | 6> = new Set([4, 6]);

/** The IP versions of which an interface has an address that others could reach. */
function routableVersions(): ReadonlySet<4 | 6> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal }) => !internal);
  return new Set(outer.map(({ family }) => (family === "IPv6" ? 6 : 4)));
}

/** An address in place of a name; one of IPv6 is none where IPv4 is asked for, but not vice versa. */
function literalAddress(name: string, version: 4 | 6): ResolvedAddress | undefined {
  if (isIPv4(name)) return { address: name, ttlS: 0 };
  if (!isIPv6(name)) return undefined;
  if (version === 4) throw new Error(`${name} is no IPv4 address`);
  return { address: name, ttlS: 0 };
}

/** What Node answers with, which its types have otherwise. */
interface UnsureRecord {
  readonly address: string;
  readonly ttl: number | undefined;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** The lines of a file in words, without comments; none of one that cannot be read. */
function readLines(file: string): readonly (readonly string[])[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").map((line) =>
    line
      .replace(/[#;].*/, "")
      .split(/\s+/)
      .filter(Boolean),
  );
}

function hostsEntries(
  lines: readonly (readonly string[])[],
  name: string,
  version: 4 | 6,
): readonly ResolvedAddress[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const isAddress = version === 4 ? isIPv4 : isIPv6;
  return lines.flatMap(([address = "", ...names]) =>
    isAddress(address) && names.some((one) => one.toLowerCase() === wanted)
      ? [{ address, ttlS: 0 }]
      : [],
  );
}

/** What is appended to names that have few dots. */
export interface SearchList {
  readonly domains: readonly string[];
  /** A name with so many dots is first asked for as it is. */
  readonly dotsMin: number;
}

/** Reads the search list of a resolver file; its last `search` or `domain` line counts. */
export function searchList(lines: readonly (readonly string[])[]): SearchList {
  let domains: readonly string[] = [];
  let dotsMin = 1;
  for (const [key, ...values] of lines) {
    if (key === "search" || key === "domain") domains = values;
    if (key !== "options") continue;
    const dots = values.find((value) => value.startsWith("ndots:"));
    if (dots !== undefined) dotsMin = Number(dots.slice("ndots:".length)) || 0;
  }
  return { domains, dotsMin };
}

const NO_SEARCH: SearchList = { domains: [], dotsMin: 0 };

/** The names to ask for in turn. */
export function candidates(name: string, { domains, dotsMin }: SearchList): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const full = domains.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= dotsMin ? [name, ...full] : [...full, name];
}
