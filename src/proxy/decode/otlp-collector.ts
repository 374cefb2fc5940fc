import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type GrpcService,
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from "../../api/gen/envoy/config/core/v3/grpc_service_pb.js";
import type { HttpService } from "../../api/gen/envoy/config/core/v3/http_service_pb.js";
import { EnvironmentResourceDetectorConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb.js";
import { StaticConfigResourceDetectorConfigSchema } from "../../api/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { Collector } from "../tracing/cluster-sender.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeHeader, decodeHttpService } from "./http-service.ts";

/** A collector that is asked by OTLP over HTTP; `headers` come before those of its own. */
export function decodeOtlpHttp(
  service: HttpService,
  path: string,
  issues: Issue[],
  headers: readonly string[] = [],
): Collector {
  const target = decodeHttpService(service, path, issues);
  return {
    ...target,
    headers: [...headers, ...target.headers],
    contentType: "application/x-protobuf",
    isGrpc: false,
    isTaken: (status) => status === 200,
    timeoutMs: () => target.timeoutMs,
  };
}

/** One that is asked by gRPC: `method` is its path; `undefined` after an issue. */
export function decodeOtlpGrpc(
  message: GrpcService,
  method: string,
  path: string,
  issues: Issue[],
): Collector | undefined {
  const fields = ["envoy_grpc", "timeout", "initial_metadata"];
  issues.push(...refuseFields(GrpcServiceSchema, message, fields, path));
  const { targetSpecifier: target } = message;
  if (target.case !== "envoyGrpc") {
    if (target.case === undefined) issues.push({ path, message: "names no service" });
    return undefined;
  }
  const grpcPath = joinPath(path, "envoy_grpc");
  const known = ["cluster_name", "authority"];
  issues.push(...refuseFields(GrpcService_EnvoyGrpcSchema, target.value, known, grpcPath));
  const { clusterName, authority } = target.value;
  const timeoutMs = durationMs(message.timeout) ?? 0;
  return {
    clusterName,
    authority: wireText(authority || clusterName),
    path: method,
    contentType: "application/grpc",
    headers: message.initialMetadata.flatMap((header, at) =>
      decodeHeader(header, joinPath(path, `initial_metadata[${at}]`), issues),
    ),
    isGrpc: true,
    isTaken: (status) => status === 200,
    timeoutMs: () => timeoutMs,
  };
}

/** Attributes of a resource, in order; of two with one name the last counts. */
type Attributes = readonly (readonly [name: string, value: string])[];

const DETECTORS: readonly Extension<Attributes>[] = [
  extension(EnvironmentResourceDetectorConfigSchema, () => {
    const pairs = (process.env["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",");
    return pairs.flatMap((pair) => {
      const [name = "", value = "", ...more] = pair.split("=").filter((part) => part !== "");
      return name === "" || value === "" || more.length > 0 ? [] : [[name, value] as const];
    });
  }),
  extension(StaticConfigResourceDetectorConfigSchema, ({ attributes }) =>
    Object.entries(attributes).filter(([name, value]) => name !== "" && value !== ""),
  ),
];

/** What detectors find out of the resource that reports are about. */
export function detectResource(
  detectors: readonly TypedExtensionConfig[],
  path: string,
  issues: Issue[],
): Attributes {
  return detectors.flatMap(({ name, typedConfig: any }, at) => {
    const detectorPath = joinPath(path, `resource_detectors[${at}]`);
    const found = decodeExtension(DETECTORS, { name, any, path: detectorPath }, issues) ?? [];
    return found.map(([key, value]) => [wireText(key), wireText(value)] as const);
  });
}
