/** Why a table, or some of its rows, cannot be run on a mesh without capture. */
export interface TableException {
  readonly func: string;
  readonly line: number;
  readonly needs:
    | "packet capture"
    | "the DNS proxy"
    | "dual stack"
    | "TLS identities"
    | "JWT"
    | "several clusters"
    | "Gateway API"
    | "EnvoyFilter"
    | "AuthorizationPolicy"
    | "zoneAwareLbSetting";
  /** What exactly. */
  readonly because: string;
  /** Which rows, when others are run; absent: the whole table. */
  readonly rows?: string;
}

function exception(
  func: string,
  line: number,
  needs: TableException["needs"],
  because: string,
  rows?: string,
): TableException {
  return { func, line, needs, because, ...(rows !== undefined && { rows }) };
}

/** Lines of the tables 58 to 77. */
const JWT_LINES: readonly number[] = [
  4334, 4360, 4420, 4446, 4530, 4556, 4582, 4641, 4667, 4746, 4777, 4829, 4858, 4969, 4998, 5050,
  5076, 5103, 5130, 5211,
];

/** By the number of the table. */
export const EXCEPTIONS: Readonly<Record<number, TableException>> = {
  12: exception(
    "virtualServiceCases",
    964,
    "packet capture",
    "clients of gRPC do not ask a proxy by URL",
  ),
  17: exception(
    "tlsOriginationCases",
    1497,
    "packet capture",
    "resolution NONE goes to the address that was meant",
  ),
  18: exception(
    "tlsOriginationCases",
    1550,
    "packet capture",
    "resolution NONE goes to the address that was meant",
  ),
  21: exception(
    "trafficLoopCases",
    1748,
    "packet capture",
    "calls the capturing ports 15001 and 15006",
  ),
  22: exception("autoPassthroughCases", 1812, "TLS identities", "mutual TLS through a gateway"),
  24: exception(
    "gatewayCases",
    2023,
    "TLS identities",
    "a certificate in a Secret for the gateway",
  ),
  30: exception(
    "gatewayCases",
    2392,
    "TLS identities",
    "a certificate in a Secret for the gateway",
  ),
  34: exception(
    "envoyFilterCases",
    2645,
    "EnvoyFilter",
    "patches of listeners, virtual hosts and clusters",
  ),
  45: exception(
    "protocolSniffingCases",
    3352,
    "packet capture",
    "TCP and gRPC clients do not ask a proxy by URL",
    "tcp, auto-tcp, grpc, auto-grpc",
  ),
  46: exception("protocolSniffingCases", 3430, "packet capture", "HTTP/1.0 to an address"),
  47: exception("protocolSniffingCases", 3449, "packet capture", "HTTP/1.0 to an address"),
  48: exception("protocolSniffingCases", 3469, "packet capture", "HTTP/1.0 to an address"),
  49: exception(
    "instanceIPTests",
    3498,
    "packet capture",
    "apps that listen on the pod's own address behind a sidecar",
  ),
  50: exception(
    "instanceIPTests",
    3608,
    "packet capture",
    "apps that listen on the pod's own address behind a sidecar",
  ),
  51: exception("DNSTestCases", 3667, "the DNS proxy", "look-ups"),
  52: exception("DNSTestCases", 3745, "the DNS proxy", "look-ups"),
  53: exception("DNSTestCases", 3758, "the DNS proxy", "look-ups"),
  54: exception(
    "TestExternalService",
    3939,
    "packet capture",
    "pass-through to an unknown address",
    "PASS_THROUGH",
  ),
  55: exception(
    "testServiceEntryWithMultipleVIPsAndResolutionNone",
    4051,
    "packet capture",
    "calls virtual addresses",
  ),
  56: exception("serverFirstTestCases", 4166, "packet capture", "TCP servers that speak first"),
  57: exception("serverFirstTestCases", 4202, "packet capture", "TCP servers that speak first"),
  78: exception("ManagedGatewayTest", 200, "Gateway API", "deploys gateways from its Gateway"),
  79: exception("ManagedGatewayTest", 218, "Gateway API", "deploys gateways from its Gateway"),
  80: exception("TaggedGatewayTest", 498, "Gateway API", "deploys gateways from its Gateway"),
  83: exception("TestAuthZCheck", 382, "AuthorizationPolicy", "no traffic: a command's output"),
  86: exception("TestClusterLocal", 52, "several clusters", "endpoints of another cluster"),
  87: exception("TestTcpProbe", 36, "packet capture", "probes of a kubelet that are captured"),
  88: exception("var requestsSpec", 79, "packet capture", "TCP clients do not ask a proxy by URL"),
  89: exception("var testCases", 90, "packet capture", "TCP clients do not ask a proxy by URL"),
  90: exception(
    "TestWorkloadEntryGateway",
    161,
    "TLS identities",
    "mutual TLS to the gateway of another network",
  ),
  91: exception("TestZoneAwareLoadBalancer", 199, "zoneAwareLbSetting", "a field that is refused"),
  92: exception("TestZoneAwareLoadBalancer", 204, "zoneAwareLbSetting", "a field that is refused"),
  ...Object.fromEntries(
    JWT_LINES.map((line, at) => [
      58 + at,
      exception("jwtClaimRoute", line, "JWT", "routes by claims of a token"),
    ]),
  ),
};
