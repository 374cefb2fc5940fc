import { suggest } from "../../base/suggest.ts";

/** What stands in the parentheses of an operator: nothing, what it likes, or what this matches. */
type Argument = "none" | "any" | "optional" | RegExp;

const ADDRESSES = [
  "DOWNSTREAM_REMOTE",
  "DOWNSTREAM_DIRECT_REMOTE",
  "DOWNSTREAM_LOCAL",
  "DOWNSTREAM_DIRECT_LOCAL",
  "UPSTREAM_LOCAL",
  "UPSTREAM_REMOTE",
];

/** Operators of TLS, on either side of a proxy. */
const TLS = [
  "TLS_VERSION",
  "TLS_CIPHER",
  "TLS_SESSION_ID",
  "PEER_SUBJECT",
  "PEER_ISSUER",
  "PEER_CERT",
];
const TLS_NAMES = ["PEER_URI_SAN", "PEER_DNS_SAN", "PEER_IP_SAN"];

const HEADER = /^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+(\?:?[!#$%&'*+.^_`|~0-9A-Za-z-]*)?$/;
/** Envoy refuses a format that would write a line end. */
const TIME = /^(?!.*%[-_0^#]*[1-9]*[EO]?n)/;

/** Names with nothing in parentheses. */
const PLAIN = [
  "BYTES_RECEIVED",
  "BYTES_SENT",
  "CONNECTION_ID",
  "CONNECTION_TERMINATION_DETAILS",
  "DOWNSTREAM_LOCAL_EMAIL_SAN",
  "DOWNSTREAM_LOCAL_SUBJECT",
  "DOWNSTREAM_PEER_EMAIL_SAN",
  "DOWNSTREAM_PEER_FINGERPRINT_1",
  "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_SERIAL",
  "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
  "DURATION",
  "FILTER_CHAIN_NAME",
  "GRPC_STATUS_NUMBER",
  "PROTOCOL",
  "REQUEST_DURATION",
  "REQUEST_TX_DURATION",
  "RESPONSE_CODE",
  "RESPONSE_DURATION",
  "RESPONSE_FLAGS",
  "RESPONSE_FLAGS_LONG",
  "RESPONSE_TX_DURATION",
  "ROUTE_NAME",
  "SPAN_ID",
  "STREAM_ID",
  "TRACE_ID",
  "UNIQUE_ID",
  "UPSTREAM_CLUSTER",
  "UPSTREAM_CLUSTER_RAW",
  "UPSTREAM_HOST",
  "UPSTREAM_HOST_NAME",
  "UPSTREAM_HOST_NAME_WITHOUT_PORT",
  "UPSTREAM_PROTOCOL",
  "UPSTREAM_REQUEST_ATTEMPT_COUNT",
  "UPSTREAM_TRANSPORT_FAILURE_REASON",
];

/** The command operators that a header's value may have, of those that both proxies know. */
const OPERATORS: ReadonlyMap<string, Argument> = new Map<string, Argument>([
  ...PLAIN.map((name) => [name, "none"] as const),
  ...ADDRESSES.flatMap((side) => [
    [`${side}_ADDRESS`, "none"] as const,
    [`${side}_ADDRESS_WITHOUT_PORT`, "optional"] as const,
    [`${side}_PORT`, "none"] as const,
  ]),
  ...["DOWNSTREAM", "UPSTREAM"].flatMap((side) =>
    [...TLS, ...TLS_NAMES].map((name) => [`${side}_${name}`, "none"] as const),
  ),
  ["DYNAMIC_METADATA", "any"],
  ["CLUSTER_METADATA", "any"],
  ["UPSTREAM_METADATA", "any"],
  ["ENVIRONMENT", "any"],
  ["FILTER_STATE", /^[^:]+(:PLAIN|:TYPED|:FIELD:[^:]*)?$/],
  ["GRPC_STATUS", /^(CAMEL_STRING|SNAKE_STRING|NUMBER)?$/],
  ["HOSTNAME", "none"],
  ["PATH", /^(WQ|NQ)?(:(ORIG|PATH|ORIG_OR_PATH)?)?$/],
  ["QUERY_PARAM", "any"],
  ["QUERY_PARAMS", /^(ORIG|DECODED)?$/],
  ["REQ", HEADER],
  ["REQUEST_HEADER", HEADER],
  ["REQUESTED_SERVER_NAME", /^(SNI_ONLY|SNI_FIRST|HOST_FIRST)?(:(ORIG|HOST|ORIG_OR_HOST)?)?$/],
  ["RESP", HEADER],
  ["RESPONSE_HEADER", HEADER],
  ["RESPONSE_CODE_DETAILS", /^(ALLOW_WHITESPACES)?$/],
  ["START_TIME", TIME],
  ["DOWNSTREAM_PEER_CERT_V_START", TIME],
  ["DOWNSTREAM_PEER_CERT_V_END", TIME],
  ["TRAILER", HEADER],
  ["RESPONSE_TRAILER", HEADER],
]);

/**
 * What is wrong with a command operator, `argument` being what stands in its parentheses. An
 * operator that a proxy does not know has it refuse all of its routes.
 */
export function checkOperator(name: string, argument: string | undefined): string | undefined {
  const wanted = OPERATORS.get(name);
  if (wanted === undefined) {
    const meant = suggest(name, [...OPERATORS.keys()]);
    const hint = meant === undefined ? "" : `, did you mean "%${meant}%"?`;
    return `"%${name}%" is no command operator that both proxies know${hint}`;
  }
  if (wanted === "optional") return undefined;
  if (wanted === "none") {
    return argument === undefined ? undefined : `"%${name}%" takes nothing in parentheses`;
  }
  if (wanted === "any") {
    return (argument ?? "") === "" ? `"%${name}(…)%" must say what it reads` : undefined;
  }
  return wanted.test(argument ?? "") ? undefined : `"%${name}(${argument ?? ""})%" cannot be read`;
}
