import { socketAddress } from "./bootstrap-json.ts";
import type { DnsAnswer } from "./dns-server.ts";

/** A name, what is said of it, and what a cluster makes of that. */
export interface DnsCase {
  readonly what: string;
  readonly family?: string;
  /** What the name server says of A records, and of AAAA where that is not the same. */
  readonly a?: DnsAnswer;
  readonly aaaa?: DnsAnswer;
  /** How the cluster writes the name, where not as the name server has it. */
  readonly asked?: string;
  /** Further options of the cluster. */
  readonly options?: object;
  /** Further options of the endpoint and of its locality. */
  readonly endpoint?: object;
  readonly locality?: object;
  /** Options of the resolver; a function makes those of a resolver in its old place. */
  readonly resolver?: object | ((port: number) => object);
  /** The addresses of the hosts, in order. */
  readonly hosts: readonly string[];
  /** Whether the look-ups failed. */
  readonly fails?: true;
}

const V4 = ["127.0.1.2", "127.0.1.1"];
const V6 = ["::2", "::1"];
const FOUND: DnsAnswer = { addresses: [...V4, ...V6] };
const NONE: DnsAnswer = { addresses: [] };
const MANY = Array.from({ length: 500 }, (_, at) => `127.1.${(at * 7) >> 8}.${(at * 7) & 255}`);
const LOGICAL = { type: "LOGICAL_DNS" };

const CODES: readonly DnsCase[] = [
  { what: "does not exist", a: "nxdomain", hosts: [] },
  ...(["servfail", "refused", "formerr", "notimp"] as const).map(
    (a): DnsCase => ({ what: `is answered with ${a}`, a, hosts: [], fails: true }),
  ),
];

const FAMILIES: readonly DnsCase[] = [
  { what: "has addresses: V4_ONLY", family: "V4_ONLY", a: FOUND, hosts: V4 },
  { what: "has addresses: V6_ONLY", family: "V6_ONLY", a: FOUND, hosts: V6 },
  { what: "has addresses: AUTO", family: "AUTO", a: FOUND, hosts: V6 },
  { what: "has addresses: V4_PREFERRED", family: "V4_PREFERRED", a: FOUND, hosts: V4 },
  ...["V4_ONLY", "V6_ONLY", "AUTO", "V4_PREFERRED", "ALL"].map(
    (family): DnsCase => ({ what: `has none: ${family}`, family, a: NONE, hosts: [] }),
  ),
  ...["AUTO", "V4_PREFERRED", "ALL"].flatMap((family): readonly DnsCase[] => [
    {
      what: `has IPv4 only, as nothing is known of IPv6: ${family}`,
      family,
      a: FOUND,
      aaaa: "servfail",
      hosts: V4,
    },
    {
      what: `has IPv6 only, as nothing is known of IPv4: ${family}`,
      family,
      a: "servfail",
      aaaa: FOUND,
      hosts: V6,
    },
    {
      what: `has no IPv4, and nothing is known of IPv6: ${family}`,
      family,
      a: "nxdomain",
      aaaa: "servfail",
      hosts: [],
      fails: true,
    },
    {
      what: `has no IPv6, and nothing is known of IPv4: ${family}`,
      family,
      a: "servfail",
      aaaa: NONE,
      hosts: [],
      fails: true,
    },
  ]),
];

const NAMES: readonly DnsCase[] = [
  {
    what: "leads through others to addresses",
    a: { addresses: V4, through: ["b.test", "c.test"] },
    hosts: V4,
  },
  {
    what: "leads to a name without addresses",
    a: { addresses: [], through: ["b.test"] },
    hosts: [],
  },
  { what: "has an address twice", a: { addresses: [...V4, ...V4] }, hosts: V4 },
  { what: "has 500 addresses", a: { addresses: MANY }, hosts: MANY },
  { what: "is an address", asked: "127.0.3.1", hosts: ["127.0.3.1"] },
  { what: "is an IPv6 address, for IPv4 only", asked: "::3", hosts: [], fails: true },
  { what: "is an IPv6 address", asked: "::3", family: "AUTO", hosts: ["::3"] },
  {
    what: "is an IPv4 address, for IPv6 only",
    asked: "127.0.3.1",
    family: "V6_ONLY",
    hosts: ["127.0.3.1"],
  },
  { what: "is an address, for both", asked: "127.0.3.1", family: "ALL", hosts: ["127.0.3.1"] },
  { what: "is half an address", asked: "127.1", hosts: [] },
  { what: "lacks a label", asked: "a..b.test", hosts: [], fails: true },
  { what: "has an underscore", asked: "_a.b.test", hosts: [] },
  { what: "has a space", asked: "a b.test", hosts: [], fails: true },
  { what: "has a label that is too long", asked: `${"a".repeat(64)}.test`, hosts: [], fails: true },
  { what: "has a star", asked: "*.test", hosts: [] },
  { what: "is an onion", asked: "x.onion", hosts: [] },
  { what: "ends with a dot", asked: "dot.test.", a: FOUND, hosts: V4 },
  { what: "is in capitals", asked: "CAPITALS.TEST", a: FOUND, hosts: V4 },
];

const PLACES: readonly DnsCase[] = [
  {
    what: "has a weight, a health and a host name",
    a: FOUND,
    endpoint: { load_balancing_weight: 7, health_status: "DEGRADED", hostname: undefined },
    hosts: V4,
  },
  { what: "is out of use", a: FOUND, endpoint: { health_status: "UNHEALTHY" }, hosts: V4 },
  {
    what: "stands in a locality of another priority",
    a: FOUND,
    locality: {
      priority: 2,
      load_balancing_weight: 3,
      locality: { region: "r", zone: "z", sub_zone: "s" },
    },
    hosts: V4,
  },
  {
    what: "stands in a locality, and is logical",
    a: FOUND,
    options: LOGICAL,
    endpoint: { load_balancing_weight: 7 },
    locality: { priority: 2, locality: { region: "r", zone: "z", sub_zone: "s" } },
    hosts: V4.slice(0, 1),
  },
];

const TYPES: readonly DnsCase[] = [
  { what: "is logical: V4_ONLY", a: FOUND, options: LOGICAL, hosts: V4.slice(0, 1) },
  { what: "is logical: AUTO", family: "AUTO", a: FOUND, options: LOGICAL, hosts: V6.slice(0, 1) },
  {
    what: "is logical and does not exist",
    a: "nxdomain",
    options: LOGICAL,
    hosts: [],
    fails: true,
  },
  { what: "is logical and has no addresses", a: NONE, options: LOGICAL, hosts: [], fails: true },
  {
    what: "belongs to a type by name",
    a: FOUND,
    options: { type: undefined, cluster_type: { name: "envoy.cluster.strict_dns" } },
    hosts: V4,
  },
  {
    what: "belongs to a logical type by name",
    a: FOUND,
    options: { type: undefined, cluster_type: { name: "envoy.cluster.logical_dns" } },
    hosts: V4.slice(0, 1),
  },
];

const RESOLVERS: readonly DnsCase[] = [
  {
    what: "is not searched for elsewhere",
    a: FOUND,
    resolver: { dns_resolver_options: { no_default_search_domain: true } },
    hosts: V4,
  },
  {
    what: "is asked for where an interface is",
    a: FOUND,
    family: "V4_ONLY",
    resolver: { filter_unroutable_families: true },
    hosts: V4,
  },
  {
    what: "has its resolver in the old place",
    a: FOUND,
    resolver: (port) => ({ resolvers: [socketAddress(port)] }),
    hosts: V4,
  },
];

export const DNS_CASES: readonly DnsCase[] = [
  ...CODES,
  ...FAMILIES,
  ...NAMES,
  ...PLACES,
  ...TYPES,
  ...RESOLVERS,
];

/** The name of a case's cluster, and most often what it asks for. */
export function caseName(one: DnsCase): string {
  return `case${DNS_CASES.indexOf(one)}.test`;
}
