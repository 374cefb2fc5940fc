/** How a connection reaches the proxy. */
export type CallMode = "gateway" | "outbound" | "inbound";

/** One connection, with the request on it where it speaks HTTP. */
export interface Call {
  /** Where the client wanted to go; any address where it does not matter. */
  readonly address?: string;
  readonly port: number;
  readonly protocol?: "http" | "http2" | "tcp";
  readonly tls?: "plaintext" | "tls" | "mtls";
  /** Of the ClientHello; that of a `tls` call is the host unless it says another. */
  readonly sni?: string;
  /** Of the ClientHello; what such a client offers unless it says something else. */
  readonly alpn?: string;
  readonly mode?: CallMode;
  readonly host?: string;
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the connection comes from. */
  readonly from?: string;
}

/** Why a call ends before it has a cluster; Istio's words for it where it has some. */
export type CallError =
  | "no listener matched"
  | "no filter chains matched"
  | "no virtual host matched"
  | "no route matched"
  | "tls required, sending 301"
  | "protocol error"
  | "invalid TLS"
  | "invalid mTLS";

/** Where a call went, as far as it came; what does not apply is missing. */
export interface CallResult {
  readonly error?: CallError;
  readonly listener?: string;
  readonly filterChain?: string;
  /** Of the discovery service; missing where the routes stand in the listener. */
  readonly routeConfig?: string;
  readonly virtualHost?: string;
  readonly route?: string;
  /** Missing where the choice is by weight. */
  readonly cluster?: string;
  /** Every cluster that the choice may come to, by name. */
  readonly clusters?: readonly string[];
  /** Of an answer that the proxy makes itself. */
  readonly status?: number;
  /** Of a redirect. */
  readonly location?: string;
}

/** A call with everything said. */
export type FullCall = Required<Call>;

/** What Istio's sidecars offer each other, by what is inside. */
const MTLS_ALPN = { http: "istio-http/1.1", http2: "istio-h2", tcp: "istio" } as const;
const TLS_ALPN = { http: "http/1.1", http2: "h2", tcp: "" } as const;

/** The call with what Istio's own simulation takes for granted. */
export function completeCall(call: Call): FullCall {
  const { protocol = "tcp", tls = "plaintext", host = "" } = call;
  const alpn = { plaintext: "", tls: TLS_ALPN[protocol], mtls: MTLS_ALPN[protocol] }[tls];
  return {
    address: "1.3.3.7",
    protocol,
    tls,
    sni: tls === "tls" ? host : "",
    alpn,
    mode: "outbound",
    host,
    method: "GET",
    path: "/",
    headers: {},
    from: "1.2.3.5",
    ...call,
  };
}
