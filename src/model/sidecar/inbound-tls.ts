import { memoise } from "../../base/memo.ts";
import type { FilterChainMatch } from "../listener.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { MutualTlsMode } from "../peer-authentication.ts";
import { type ServerTls, WORKLOAD_CERTIFICATE, WORKLOAD_ROOTS } from "../tls.ts";

/** What a port's clients speak, as far as chains differ: HTTP, bytes, or either of them. */
export type ChainProtocol = "http" | "tcp" | "auto";

/** One way in: which connections, what is spoken, and whether TLS is opened before that. */
export interface ChainVariant {
  readonly match: FilterChainMatch;
  readonly filter: "http" | "tcp";
  readonly isTls: boolean;
}

/** How sidecars tell each other over TLS what is inside (Istio's ALPN). */
const MUTUAL_HTTP = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const MUTUAL_TCP = ["istio-peer-exchange", "istio"];
const MUTUAL_ANY = ["istio", "istio-peer-exchange", ...MUTUAL_HTTP];
/** What the HTTP inspector finds. */
const PLAIN_HTTP = ["http/1.1", "h2c"];

/** What clients of HTTP are offered. */
export const HTTP_ALPN: readonly string[] = ["h2", "http/1.1"];

const TLS = "tls";
const PLAIN = "raw_buffer";

function variant(
  filter: "http" | "tcp",
  transportProtocol: "tls" | "raw_buffer",
  isTls: boolean,
  applicationProtocols?: readonly string[],
): ChainVariant {
  const match =
    applicationProtocols === undefined
      ? { transportProtocol }
      : { transportProtocol, applicationProtocols };
  return { match, filter, isTls };
}

const VARIANTS: Readonly<Record<MutualTlsMode, Record<ChainProtocol, readonly ChainVariant[]>>> = {
  STRICT: {
    http: [variant("http", TLS, true)],
    tcp: [variant("tcp", TLS, true)],
    auto: [variant("http", TLS, true, MUTUAL_HTTP), variant("tcp", TLS, true)],
  },
  PERMISSIVE: {
    // TLS that is not a sidecar's has no chain here: the port says that it speaks HTTP.
    http: [variant("http", TLS, true, MUTUAL_ANY), variant("http", PLAIN, false)],
    tcp: [
      variant("tcp", TLS, true, MUTUAL_ANY),
      variant("tcp", PLAIN, false),
      // The app's own TLS.
      variant("tcp", TLS, false),
    ],
    auto: [
      variant("http", TLS, true, MUTUAL_HTTP),
      variant("http", PLAIN, false, PLAIN_HTTP),
      variant("tcp", TLS, true, MUTUAL_TCP),
      variant("tcp", PLAIN, false),
      variant("tcp", TLS, false),
    ],
  },
  DISABLE: {
    http: [variant("http", PLAIN, false)],
    tcp: [variant("tcp", PLAIN, false)],
    auto: [variant("http", PLAIN, false, PLAIN_HTTP), variant("tcp", PLAIN, false)],
  },
};

/** The chains of a port, Istio's: the same for every port of that mode and protocol. */
export function chainVariants(
  mode: MutualTlsMode,
  protocol: ChainProtocol,
  takesHttp10: boolean,
): readonly ChainVariant[] {
  const variants = VARIANTS[mode][protocol];
  return takesHttp10 ? variants.map(withHttp10) : variants;
}

/** HTTP/1.0 is bytes unless it is asked for: it would only be refused as HTTP. */
function withHttp10(one: ChainVariant): ChainVariant {
  if (one.match.applicationProtocols !== PLAIN_HTTP) return one;
  return { ...one, match: { ...one.match, applicationProtocols: ["http/1.0", ...PLAIN_HTTP] } };
}

/** The one way into a port whose TLS the user has set up. */
export function userTlsVariants(protocol: "http" | "tcp"): readonly ChainVariant[] {
  return [variant(protocol, TLS, true)];
}

/** Ciphers of TLS 1.2 that sidecars take from each other (Istio's). */
const MESH_CIPHERS = [
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-GCM-SHA256",
];

/** The workload's side of mutual TLS: its own certificate, and identities of the mesh's trust domains only. */
export const meshTls = memoise((settings: MeshSettings, filter: "http" | "tcp"): ServerTls => {
  const { trustDomain, trustDomainAliases, meshTlsMinVersion, meshTlsCipherSuites } = settings;
  return {
    certificates: [{ type: "sds", name: WORKLOAD_CERTIFICATE }],
    trusted: { type: "sds", name: WORKLOAD_ROOTS },
    isClientCertificateRequired: true,
    subjectAltNames: [],
    trustDomains: [...new Set([trustDomain, ...trustDomainAliases])],
    spkiPins: [],
    certificatePins: [],
    crlFile: undefined,
    alpn: filter === "http" ? HTTP_ALPN : ["istio-peer-exchange", ...HTTP_ALPN],
    minVersion: meshTlsMinVersion,
    maxVersion: "TLSV1_3",
    cipherSuites: meshTlsCipherSuites.length > 0 ? meshTlsCipherSuites : MESH_CIPHERS,
    ecdhCurves: [],
    origin: undefined,
  };
});
