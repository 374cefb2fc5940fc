/** One request through the policies of its route. */
export interface RbacCase {
  readonly name: string;
  /** `RBAC` of the route: rules, shadow rules and how they are counted. */
  readonly rbac: object;
  /** Query included; what the request asks for. */
  readonly path?: string;
  readonly method?: string;
  readonly lines?: string;
  readonly status: number;
}

const ANY = [{ any: true }];

/** A policy on everybody, or on everything. */
function policy(permissions: readonly object[], principals: readonly object[] = ANY): object {
  return { permissions, principals };
}

function allow(permissions: readonly object[], principals: readonly object[] = ANY): object {
  return { rules: { policies: { one: policy(permissions, principals) } } };
}

function pathIs(matcher: object): object {
  return { url_path: { path: matcher } };
}

const GET = { header: { name: ":method", string_match: { exact: "GET" } } };
const PREFIX = (prefix: string): object => pathIs({ prefix });
const RANGE = (address_prefix: string, prefix_len: number): object => ({
  address_prefix,
  prefix_len,
});

const ACTIONS: readonly RbacCase[] = [
  { name: "no rules", rbac: {}, status: 200 },
  { name: "rules without a policy", rbac: { rules: {} }, status: 403 },
  { name: "rules without a policy that deny", rbac: { rules: { action: "DENY" } }, status: 200 },
  { name: "a policy for everybody", rbac: allow(ANY), status: 200 },
  {
    name: "a policy that denies everybody",
    rbac: { rules: { action: "DENY", policies: { "a policy": policy(ANY) } } },
    status: 403,
  },
  {
    name: "a policy that denies others",
    rbac: { rules: { action: "DENY", policies: { one: policy([PREFIX("/x")]) } } },
    status: 200,
  },
  {
    name: "the first of two policies, by name",
    rbac: { rules: { action: "DENY", policies: { b: policy(ANY), a: policy([GET]) } } },
    status: 403,
  },
  {
    name: "the second of two policies, as the first does not match",
    rbac: { rules: { action: "DENY", policies: { b: policy(ANY), a: policy([PREFIX("/x")]) } } },
    status: 403,
  },
  {
    name: "a denial of a gRPC call",
    rbac: { rules: {} },
    lines: "Content-Type: application/grpc\r\n",
    status: 200,
  },
  { name: "a denial of HEAD", rbac: { rules: {} }, method: "HEAD", status: 403 },
  { name: "a denial of POST with a body", rbac: { rules: {} }, method: "POST", status: 403 },
  {
    name: "rules that only log",
    rbac: { rules: { action: "LOG", policies: { one: policy(ANY) } } },
    status: 200,
  },
  {
    name: "rules that only log, and not this",
    rbac: { rules: { action: "LOG", policies: { one: policy([PREFIX("/x")]) } } },
    status: 200,
  },
];

const SHADOWS: readonly RbacCase[] = [
  { name: "a shadow that denies", rbac: { shadow_rules: {} }, status: 200 },
  {
    name: "a shadow that allows what is denied",
    rbac: { rules: {}, shadow_rules: { policies: { may: policy(ANY) } } },
    status: 403,
  },
  {
    name: "a shadow with a prefix for its results",
    rbac: {
      ...allow(ANY),
      shadow_rules: { action: "DENY", policies: { "may not": policy(ANY) } },
      rules_stat_prefix: "own_",
      shadow_rules_stat_prefix: "dry.",
    },
    status: 200,
  },
  {
    name: "policies that are counted one by one",
    rbac: {
      ...allow(ANY),
      shadow_rules: { action: "DENY", policies: { "may not": policy(ANY) } },
      track_per_rule_stats: true,
    },
    status: 200,
  },
  {
    name: "a policy that is counted by itself and denies",
    rbac: {
      rules: { action: "DENY", policies: { "no no": policy(ANY) } },
      track_per_rule_stats: true,
    },
    status: 403,
  },
];

const PERMISSIONS: readonly RbacCase[] = [
  { name: "a method that may", rbac: allow([GET]), status: 200 },
  { name: "a method that may not", rbac: allow([GET]), method: "PUT", status: 403 },
  { name: "a prefix of the path", rbac: allow([PREFIX("/a/b")]), path: "/a/b?c", status: 200 },
  { name: "another path", rbac: allow([PREFIX("/a/b")]), path: "/a/c", status: 403 },
  {
    name: "a path in another case",
    rbac: allow([PREFIX("/a/b")]),
    path: "/A/b",
    status: 403,
  },
  {
    name: "a path that ends so, with a query after it",
    rbac: allow([pathIs({ suffix: ".txt" })]),
    path: "/a.txt?b=c",
    status: 200,
  },
  {
    name: "a query that ends so, which is no path",
    rbac: allow([pathIs({ suffix: ".txt" })]),
    path: "/a?b=c.txt",
    status: 403,
  },
  {
    name: "a path by an expression",
    rbac: allow([pathIs({ safe_regex: { regex: "/[ab]+" } })]),
    path: "/abba",
    status: 200,
  },
  {
    name: "all of several",
    rbac: allow([{ and_rules: { rules: [GET, PREFIX("/a")] } }]),
    path: "/a",
    status: 200,
  },
  {
    name: "all but one of several",
    rbac: allow([{ and_rules: { rules: [GET, PREFIX("/a")] } }]),
    path: "/b",
    status: 403,
  },
  {
    name: "one of several",
    rbac: allow([{ or_rules: { rules: [PREFIX("/b"), GET] } }]),
    path: "/a",
    status: 200,
  },
  { name: "not so", rbac: allow([{ not_rule: GET }]), status: 403 },
  {
    name: "a header that is there",
    rbac: allow([{ header: { name: "x-who", present_match: true } }]),
    lines: "X-Who: me\r\n",
    status: 200,
  },
  {
    name: "a header that is not there",
    rbac: allow([{ header: { name: "x-who", present_match: true } }]),
    status: 403,
  },
  {
    name: "the host",
    rbac: allow([{ header: { name: ":authority", string_match: { suffix: ".test" } } }]),
    status: 200,
  },
  {
    name: "the address that the client came to",
    rbac: allow([{ destination_ip: RANGE("127.0.0.0", 8) }]),
    status: 200,
  },
  {
    name: "another address than the client came to",
    rbac: allow([{ destination_ip: RANGE("10.0.0.0", 8) }]),
    status: 403,
  },
  { name: "another port", rbac: allow([{ destination_port: 1 }]), status: 403 },
  {
    name: "a range of ports",
    rbac: allow([{ destination_port_range: { start: 1024, end: 65536 } }]),
    status: 200,
  },
  {
    name: "no name was asked for",
    rbac: allow([{ requested_server_name: { exact: "" } }]),
    status: 200,
  },
];

const PRINCIPALS: readonly RbacCase[] = [
  {
    name: "a client by its address",
    rbac: allow(ANY, [{ direct_remote_ip: RANGE("127.0.0.1", 32) }]),
    status: 200,
  },
  {
    name: "a client by another address",
    rbac: allow(ANY, [{ direct_remote_ip: RANGE("127.0.0.2", 32) }]),
    status: 403,
  },
  {
    name: "a client by its forwarded address, which is not trusted here",
    rbac: allow(ANY, [{ remote_ip: RANGE("10.1.2.3", 32) }]),
    lines: "X-Forwarded-For: 9.9.9.9\r\n",
    status: 403,
  },
  {
    name: "a client by the older name of its address",
    rbac: allow(ANY, [{ source_ip: RANGE("127.0.0.0", 8) }]),
    status: 200,
  },
  { name: "a client with a certificate", rbac: allow(ANY, [{ authenticated: {} }]), status: 403 },
  {
    name: "a client without a certificate",
    rbac: allow(ANY, [{ not_id: { authenticated: {} } }]),
    status: 200,
  },
  {
    name: "a client by a header",
    rbac: allow(ANY, [{ header: { name: "x-who", string_match: { exact: "me" } } }]),
    lines: "X-Who: me\r\n",
    status: 200,
  },
  {
    name: "a client by two headers, one of them another",
    rbac: allow(ANY, [
      {
        and_ids: {
          ids: [
            { header: { name: "x-who", string_match: { exact: "me" } } },
            { header: { name: "x-why", string_match: { exact: "so" } } },
          ],
        },
      },
    ]),
    lines: "X-Who: me\r\nX-Why: no\r\n",
    status: 403,
  },
  {
    name: "a client by one of two",
    rbac: allow(ANY, [{ or_ids: { ids: [{ not_id: { any: true } }, { any: true }] } }]),
    status: 200,
  },
];

export const RBAC_CASES: readonly RbacCase[] = [
  ...ACTIONS,
  ...SHADOWS,
  ...PERMISSIONS,
  ...PRINCIPALS,
];
