import {
  type ApiConfigSource,
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
  type ConfigSource,
  ConfigSourceSchema,
  PathConfigSourceSchema,
} from "../../api/gen/envoy/config/core/v3/config_source_pb.js";
import {
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from "../../api/gen/envoy/config/core/v3/grpc_service_pb.js";
import {
  type SdsSecretConfig,
  SdsSecretConfigSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { VariantName } from "../../xdsclient/wire-variant.ts";
import type { GrpcSource, SecretRef, SecretSource } from "../tls/tls-config.ts";
import { refuseVersion } from "./config-source.ts";

/** The forms of the protocol that are spoken. */
const VARIANTS: Readonly<Partial<Record<ApiConfigSource_ApiType, VariantName>>> = {
  [ApiConfigSource_ApiType.GRPC]: "GRPC",
  [ApiConfigSource_ApiType.DELTA_GRPC]: "DELTA_GRPC",
};

/** Envoy's default. */
const INITIAL_FETCH_MS = 15_000;

/** Decodes where a secret is to come from; without a config source it is a static one. */
export function decodeSecretRef(
  message: SdsSecretConfig,
  path: string,
  issues: Issue[],
): SecretRef | undefined {
  issues.push(...refuseFields(SdsSecretConfigSchema, message, ["name", "sds_config"], path));
  if (message.name === "") issues.push({ path: joinPath(path, "name"), message: "is missing" });
  const config = message.sdsConfig;
  const source = decodeSource(config, joinPath(path, "sds_config"), issues);
  const initialFetchMs = durationMs(config?.initialFetchTimeout) ?? INITIAL_FETCH_MS;
  return source && { name: message.name, source, initialFetchMs };
}

function decodeSource(
  config: ConfigSource | undefined,
  path: string,
  issues: Issue[],
): SecretSource | undefined {
  if (config === undefined) return { kind: "static" };
  const handled = [
    "path",
    "path_config_source",
    "api_config_source",
    "ads",
    "initial_fetch_timeout",
    "resource_api_version",
  ];
  issues.push(...refuseFields(ConfigSourceSchema, config, handled, path));
  refuseVersion(config.resourceApiVersion, joinPath(path, "resource_api_version"), issues);
  const specifier = config.configSourceSpecifier;
  switch (specifier.case) {
    case "ads":
      return { kind: "ads" };
    case "path":
      return { kind: "file", path: specifier.value, watchedDirectory: "" };
    case "pathConfigSource": {
      const schema = PathConfigSourceSchema;
      const at = joinPath(path, "path_config_source");
      issues.push(...refuseFields(schema, specifier.value, ["path", "watched_directory"], at));
      const watchedDirectory = specifier.value.watchedDirectory?.path ?? "";
      return { kind: "file", path: specifier.value.path, watchedDirectory };
    }
    case "apiConfigSource":
      return decodeApi(specifier.value, joinPath(path, "api_config_source"), issues);
    case "self":
      return undefined;
    case undefined:
      issues.push({ path, message: "has no config source" });
      return undefined;
  }
}

/** A gRPC stream of its own to a cluster of the bootstrap. */
export function decodeApi(
  message: ApiConfigSource,
  path: string,
  issues: Issue[],
): GrpcSource | undefined {
  const fields = [
    "api_type",
    "transport_api_version",
    "grpc_services",
    "set_node_on_first_message_only",
  ];
  issues.push(...refuseFields(ApiConfigSourceSchema, message, fields, path));
  const variant = VARIANTS[message.apiType];
  if (variant === undefined) {
    const given = ApiConfigSource_ApiType[message.apiType] ?? String(message.apiType);
    const what = `${given} is not supported yet, only GRPC and DELTA_GRPC`;
    issues.push({ path: `${path}.api_type`, message: what });
  }
  refuseVersion(message.transportApiVersion, `${path}.transport_api_version`, issues);
  const [service] = message.grpcServices;
  if (service === undefined || message.grpcServices.length > 1) {
    issues.push({ path: `${path}.grpc_services`, message: "must have exactly one entry" });
    return undefined;
  }
  const repeatsNode = !message.setNodeOnFirstMessageOnly;
  const servicePath = `${path}.grpc_services[0]`;
  issues.push(...refuseFields(GrpcServiceSchema, service, ["envoy_grpc", "timeout"], servicePath));
  if (service.targetSpecifier.case !== "envoyGrpc") return undefined;
  const grpc = service.targetSpecifier.value;
  const schema = GrpcService_EnvoyGrpcSchema;
  issues.push(...refuseFields(schema, grpc, ["cluster_name"], `${servicePath}.envoy_grpc`));
  return variant && { kind: "grpc", cluster: grpc.clusterName, variant, repeatsNode };
}
