import { RequestMethod } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type HealthCheck_GrpcHealthCheck,
  HealthCheck_GrpcHealthCheckSchema,
  type HealthCheck_HttpHealthCheck,
  HealthCheck_HttpHealthCheckSchema,
  type HealthCheck_Payload,
  HealthCheck_PayloadSchema,
  type HealthCheck_TcpHealthCheck,
  HealthCheck_TcpHealthCheckSchema,
} from "../../api/gen/envoy/config/core/v3/health_check_pb.js";
import {
  ProxyProtocolConfigSchema,
  ProxyProtocolConfig_Version as ProxyVersion,
} from "../../api/gen/envoy/config/core/v3/proxy_protocol_pb.js";
import { CodecClientType } from "../../api/gen/envoy/type/v3/http_pb.js";
import { type Int64Range, Int64RangeSchema } from "../../api/gen/envoy/type/v3/range_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeAdditions, type HeaderMutations } from "../../match/header-mutations.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { compileStringMatch } from "../../match/string-match.ts";
import { wireText } from "../../match/wire-text.ts";
import type {
  GrpcCheckConfig,
  HttpCheckConfig,
  StatusRange,
  TcpCheckConfig,
} from "../health/health-config.ts";

/** Envoy's defaults. */
const BODY_BYTES = 1024;
const EXPECTED: readonly StatusRange[] = [{ start: 200, end: 201 }];

const HTTP_FIELDS = [
  "host",
  "path",
  "send",
  "receive",
  "response_buffer_size",
  "request_headers_to_add",
  "request_headers_to_remove",
  "expected_statuses",
  "retriable_statuses",
  "codec_client_type",
  "service_name_matcher",
  "method",
];

/** Methods whose requests have no body. */
const BODILESS: ReadonlySet<RequestMethod> = new Set([
  RequestMethod.GET,
  RequestMethod.HEAD,
  RequestMethod.DELETE,
  RequestMethod.TRACE,
]);

/** Decodes a check over HTTP. */
export function decodeHttpCheck(
  message: HealthCheck_HttpHealthCheck,
  path: string,
  issues: Issue[],
): HttpCheckConfig {
  issues.push(...refuseFields(HealthCheck_HttpHealthCheckSchema, message, HTTP_FIELDS, path));
  const { codecClientType } = message;
  if (codecClientType === CodecClientType.HTTP3) {
    const what = "HTTP3 is not supported yet, only HTTP1 and HTTP2";
    issues.push({ path: joinPath(path, "codec_client_type"), message: what });
  }
  const method =
    message.method === RequestMethod.METHOD_UNSPECIFIED ? RequestMethod.GET : message.method;
  if (message.send !== undefined && BODILESS.has(method)) {
    const what = `HTTP health check cannot specify a request payload with method '${RequestMethod[method]}'. Only methods that support a request body (POST, PUT, PATCH, OPTIONS) can be used with payload.`;
    issues.push({ path: joinPath(path, "send"), message: what });
  }
  const expected = decodeRanges(message.expectedStatuses, "expected", path, issues);
  const { serviceNameMatcher } = message;
  return {
    kind: "HTTP",
    isHttp2: codecClientType === CodecClientType.HTTP2,
    // One that is not known breaks a rule of the .proto file, which is checked after.
    method: RequestMethod[method] ?? "GET",
    path: message.path,
    authority: message.host,
    send: decodePayload(message.send, joinPath(path, "send"), issues),
    ...decodeBody(message, path, issues),
    headers: decodeHeaders(message, path, issues),
    expected: expected.length === 0 ? EXPECTED : expected,
    retriable: decodeRanges(message.retriableStatuses, "retriable", path, issues),
    serviceName:
      serviceNameMatcher &&
      compileStringMatch(serviceNameMatcher, joinPath(path, "service_name_matcher"), issues),
  };
}

function decodeBody(
  { receive: wanted, responseBufferSize }: HealthCheck_HttpHealthCheck,
  path: string,
  issues: Issue[],
): Pick<HttpCheckConfig, "receive" | "bodyBytesMax"> {
  const receive = decodeReceive(wanted, path, issues);
  const bodyBytesMax = Number(responseBufferSize ?? BODY_BYTES);
  const total = receive.reduce((sum, { length }) => sum + length, 0);
  if (bodyBytesMax !== 0 && total > bodyBytesMax) {
    const what = `The expected response length '${total}' is over than http health response buffer size '${bodyBytesMax}'`;
    issues.push({ path: joinPath(path, "receive"), message: what });
  }
  return { receive, bodyBytesMax };
}

function decodeHeaders(
  message: HealthCheck_HttpHealthCheck,
  path: string,
  issues: Issue[],
): HeaderMutations | undefined {
  const { requestHeadersToAdd: toAdd, requestHeadersToRemove: toRemove } = message;
  if (toAdd.length === 0 && toRemove.length === 0) return undefined;
  for (const [at, name] of toRemove.entries()) {
    if (!name.startsWith(":") && name.toLowerCase() !== "host") continue;
    const what = ":-prefixed or host headers may not be removed";
    issues.push({ path: joinPath(path, `request_headers_to_remove[${at}]`), message: what });
  }
  return {
    add: decodeAdditions(toAdd, joinPath(path, "request_headers_to_add"), issues),
    remove: toRemove.map((name) => wireText(name).toLowerCase()),
  };
}

function decodeRanges(
  ranges: readonly Int64Range[],
  kind: "expected" | "retriable",
  path: string,
  issues: Issue[],
): readonly StatusRange[] {
  return ranges.map((range, at) => {
    const rangePath = joinPath(path, `${kind}_statuses[${at}]`);
    issues.push(...refuseFields(Int64RangeSchema, range, ["start", "end"], rangePath));
    const { start, end } = range;
    const prefix = `Invalid http ${kind} status range: expecting`;
    let what = "";
    if (start >= end) what = `start < end, but found start=${start} and end=${end}`;
    else if (start < 100n) what = `start >= 100, but found start=${start}`;
    else if (end > 600n) what = `end <= 600, but found end=${end}`;
    if (what !== "") issues.push({ path: rangePath, message: `${prefix} ${what}` });
    return { start: Number(start), end: Number(end) };
  });
}

/** Decodes a check by gRPC. */
export function decodeGrpcCheck(
  message: HealthCheck_GrpcHealthCheck,
  path: string,
  issues: Issue[],
): GrpcCheckConfig {
  const fields = ["service_name", "authority", "initial_metadata"];
  issues.push(...refuseFields(HealthCheck_GrpcHealthCheckSchema, message, fields, path));
  const { serviceName, authority, initialMetadata } = message;
  const add = decodeAdditions(initialMetadata, joinPath(path, "initial_metadata"), issues);
  return {
    kind: "GRPC",
    serviceName,
    authority,
    headers: add.length === 0 ? undefined : { add, remove: [] },
  };
}

/** Decodes a check by a connection. */
export function decodeTcpCheck(
  message: HealthCheck_TcpHealthCheck,
  path: string,
  issues: Issue[],
): TcpCheckConfig {
  const fields = ["send", "receive", "proxy_protocol_config"];
  issues.push(...refuseFields(HealthCheck_TcpHealthCheckSchema, message, fields, path));
  const sendPath = joinPath(path, "send");
  if (message.send?.payload.case === "binary") {
    const what = "is not supported yet: Envoy does not send it, only text in hexadecimal digits";
    issues.push({ path: joinPath(sendPath, "binary"), message: what });
  }
  return {
    kind: "TCP",
    proxyHeader: decodeProxyHeader(message, path, issues),
    send: decodePayload(message.send, sendPath, issues),
    receive: decodeReceive(message.receive, path, issues),
  };
}

function decodeProxyHeader(
  { proxyProtocolConfig: config }: HealthCheck_TcpHealthCheck,
  path: string,
  issues: Issue[],
): TcpCheckConfig["proxyHeader"] {
  if (config === undefined) return undefined;
  const at = joinPath(path, "proxy_protocol_config");
  issues.push(...refuseFields(ProxyProtocolConfigSchema, config, ["version"], at));
  return config.version === ProxyVersion.V1 ? "V1" : "V2";
}

function decodeReceive(
  payloads: readonly HealthCheck_Payload[],
  path: string,
  issues: Issue[],
): readonly Buffer[] {
  return payloads.map((payload, at) => {
    const payloadPath = joinPath(path, `receive[${at}]`);
    if (payload.payload.case === "binary" && payload.payload.value.length === 0) {
      issues.push({ path: joinPath(payloadPath, "binary"), message: "is empty" });
    }
    return decodePayload(payload, payloadPath, issues);
  });
}

function decodePayload(
  message: HealthCheck_Payload | undefined,
  path: string,
  issues: Issue[],
): Buffer {
  if (message === undefined) return Buffer.alloc(0);
  issues.push(...refuseFields(HealthCheck_PayloadSchema, message, ["text", "binary"], path));
  const { payload } = message;
  if (payload.case === "binary") return Buffer.from(payload.value);
  const text = payload.value ?? "";
  // An empty one breaks a rule of the .proto file, which is checked after.
  if (!/^(?:[\da-fA-F]{2})*$/.test(text)) {
    issues.push({ path: joinPath(path, "text"), message: `invalid hex string '${text}'` });
  }
  return Buffer.from(text, "hex");
}
