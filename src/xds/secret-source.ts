import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSourceSchema,
} from "../api/gen/envoy/config/core/v3/config_source_pb.js";
import type { SdsSecretConfigSchema } from "../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
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
