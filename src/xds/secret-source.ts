import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSourceSchema,
} from "../api/gen/envoy/config/core/v3/config_source_pb.js";
import type { CertificateValidationContextSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import type { SdsSecretConfigSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { CommonTlsContextSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { TlsSource } from "../model/tls.ts";
import { ADS, ZERO } from "./wire.ts";

/** The cluster under which proxies know their agent, which hands out secrets (Istio's bootstrap). */
const AGENT_CLUSTER = "sds-grpc";

/** Secrets of the configuration API, which the control plane itself hands out. */
const FROM_CONTROL_PLANE = /^(?:kubernetes|configmap)(?:-gateway)?:\/\//;

/** "Ask the agent that stands beside the proxy." */
const FROM_AGENT: MessageInitShape<typeof ConfigSourceSchema> = {
  configSourceSpecifier: {
    case: "apiConfigSource",
    value: {
      apiType: ApiConfigSource_ApiType.GRPC,
      transportApiVersion: ApiVersion.V3,
      setNodeOnFirstMessageOnly: true,
      grpcServices: [
        { targetSpecifier: { case: "envoyGrpc", value: { clusterName: AGENT_CLUSTER } } },
      ],
    },
  },
  initialFetchTimeout: ZERO,
  resourceApiVersion: ApiVersion.V3,
};

/** A secret by its name, and where the proxy asks for it. */
export function sdsSecret(name: string): MessageInitShape<typeof SdsSecretConfigSchema> {
  return { name, sdsConfig: FROM_CONTROL_PLANE.test(name) ? ADS : FROM_AGENT };
}

/** A file that a proxy reads by itself. */
export function file(filename: string) {
  return { specifier: { case: "filename", value: filename } } as const;
}

type ValidationContext = Exclude<
  MessageInitShape<typeof CertificateValidationContextSchema>,
  { $typeName: string }
>;

/**
 * What a peer's certificate is held to, signed by those who are trusted: as the agent hands them
 * out, or, where there is none, from the file.
 */
export function validationBy(
  trusted: TlsSource,
  context: ValidationContext,
  hasCertificates: boolean,
): Pick<MessageInitShape<typeof CommonTlsContextSchema>, "validationContextType"> {
  if (!hasCertificates && trusted.type === "trusted-file") {
    const value = { ...context, trustedCa: file(trusted.file) };
    return { validationContextType: { case: "validationContext", value } };
  }
  return {
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: context,
        validationContextSdsSecretConfig: sdsSecret(secretName(trusted)),
      },
    },
  };
}

/** The name under which an agent hands out what it reads from files (Istio's forms). */
export function secretName(source: TlsSource): string {
  switch (source.type) {
    case "sds":
      return source.name;
    case "files":
      return `file-cert:${source.certificate}~${source.privateKey}`;
    case "trusted-file":
      return `file-root:${source.file}`;
  }
}
