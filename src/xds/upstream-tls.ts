import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Cluster_TransportSocketMatchSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { TransportSocketSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import { ProxyProtocolConfig_Version as Version } from "../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import { ProxyProtocolUpstreamTransportSchema } from "../api/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js";
import { RawBufferSchema } from "../api/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import type { CertificateValidationContextSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type CommonTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { encodeMessage, packAny, typeUrlOf } from "../api/type-url.ts";
import { RecentMap } from "../base/recent-map.ts";
import type { Cluster } from "../model/cluster.ts";
import type { ClientTls } from "../model/tls.ts";
import { certificates, exactName, tlsParameters } from "./downstream-tls.ts";
import { file, validationBy } from "./secret-source.ts";

type TransportSocket = MessageInitShape<typeof TransportSocketSchema>;
type TransportSocketMatch = MessageInitShape<typeof Cluster_TransportSocketMatchSchema>;
type CommonTls = MessageInitShape<typeof CommonTlsContextSchema>;

/** The transport of a cluster's connections: one for all hosts, or one for each kind of host. */
export interface TransportFields {
  readonly transportSocket?: TransportSocket;
  readonly transportSocketMatches?: TransportSocketMatch[];
}

/** What is written before the first bytes of a connection: PROXY protocol, TLS, or nothing. */
export function transportFields(
  { transport, policy: { proxyProtocol } }: Pick<Cluster, "transport" | "policy">,
  hasCertificates: boolean,
): TransportFields {
  const wrap = (socket: TransportSocket): TransportSocket =>
    proxyProtocol === undefined ? socket : proxyHeader(proxyProtocol, socket);
  if (transport === undefined) {
    return proxyProtocol === undefined ? {} : { transportSocket: wrap(PLAIN) };
  }
  const tls = upstreamTls(transport.tls, hasCertificates);
  if (!transport.isByEndpoint) return { transportSocket: wrap(tls) };
  return {
    transportSocketMatches: [
      { name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: wrap(tls) },
      { name: "tlsMode-disabled", match: {}, transportSocket: wrap(PLAIN) },
    ],
  };
}

const PLAIN: TransportSocket = {
  name: "envoy.transport_sockets.raw_buffer",
  configType: { case: "typedConfig", value: packAny(RawBufferSchema, create(RawBufferSchema)) },
};

function proxyHeader(version: "V1" | "V2", transportSocket: TransportSocket): TransportSocket {
  const config = create(ProxyProtocolUpstreamTransportSchema, {
    config: { version: version === "V1" ? Version.V1 : Version.V2 },
    transportSocket,
  });
  return {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    configType: {
      case: "typedConfig",
      value: packAny(ProxyProtocolUpstreamTransportSchema, config),
    },
  };
}

function upstreamTls(tls: ClientTls, hasCertificates: boolean): TransportSocket {
  const { sni, origin: _, ...rest } = tls;
  const common = commonContext(rest, hasCertificates);
  const name = encodeMessage(
    UpstreamTlsContextSchema,
    create(UpstreamTlsContextSchema, sni === undefined ? {} : { sni }),
  );
  // The name is the later field of the two, so that the bytes of one can follow those of the other.
  const value = Buffer.concat([common, name]);
  return {
    name: "envoy.transport_sockets.tls",
    configType: {
      case: "typedConfig",
      value: { typeUrl: typeUrlOf(UpstreamTlsContextSchema), value },
    },
  };
}

/** What is written of TLS besides the name that is asked for. */
type CommonTlsFacts = Omit<ClientTls, "sni" | "origin">;

/** Different contexts that are kept: most clusters have the same but for the name that they ask for. */
const CONTEXTS_KEPT_MAX = 1000;

const contexts = new RecentMap<string, Uint8Array>(CONTEXTS_KEPT_MAX);

/** A context without the name that it asks for. */
function commonContext(tls: CommonTlsFacts, hasCertificates: boolean): Uint8Array {
  const text = JSON.stringify([tls, hasCertificates]);
  const known = contexts.get(text);
  if (known !== undefined) return known;
  const common: CommonTls = {
    ...tlsParameters(tls),
    ...(tls.certificate !== undefined && certificates([tls.certificate], { hasCertificates })),
    ...validation(tls, hasCertificates),
    alpnProtocols: [...tls.alpn],
  };
  const bytes = encodeMessage(
    UpstreamTlsContextSchema,
    create(UpstreamTlsContextSchema, { commonTlsContext: common }),
  );
  contexts.set(text, bytes);
  return bytes;
}

function validation(
  { trusted, subjectAltNames, crlFile }: CommonTlsFacts,
  hasCertificates: boolean,
): Pick<CommonTls, "validationContextType"> {
  if (trusted === undefined) {
    return { validationContextType: { case: "validationContext", value: {} } };
  }
  const context: MessageInitShape<typeof CertificateValidationContextSchema> = {
    matchTypedSubjectAltNames: subjectAltNames.flatMap(exactName),
    ...(crlFile !== undefined && { crl: file(crlFile) }),
  };
  return validationBy(trusted, context, hasCertificates);
}
