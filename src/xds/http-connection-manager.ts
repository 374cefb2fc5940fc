import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import {
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  type HttpConnectionManager_SetCurrentClientCertDetailsSchema,
  HttpConnectionManagerSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction as SlashAction,
  HttpConnectionManager_ServerHeaderTransformation as Transformation,
} from "../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { UuidRequestIdConfigSchema } from "../api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js";
import { packAny } from "../api/type-url.ts";
import type { HttpChain, HttpRole } from "../model/listener.ts";
import type { PathNormalization } from "../model/mesh-settings.ts";
import type { ForwardClientCert, ProxySettings } from "../model/proxy-settings.ts";
import type { SideTelemetry } from "../model/proxy-telemetry.ts";
import { accessLogs } from "./access-log.ts";
import { httpFilters } from "./http-filters.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { inlineRouteConfiguration } from "./route-configuration.ts";
import { tracingMessage } from "./tracing.ts";
import { ADS, duration, ZERO } from "./wire.ts";

type Options = Partial<
  Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, { $typeName: string }>
>;
type CertDetails = MessageInitShape<typeof HttpConnectionManager_SetCurrentClientCertDetailsSchema>;

/** The connection manager at the end of a chain. */
export function httpFilter(
  chain: HttpChain,
  settings: ListenerSettings,
): MessageInitShape<typeof FilterSchema> {
  const { statPrefix, routes, role } = chain;
  const { mesh, idleTimeoutMs, telemetry } = settings;
  const side = role === "sidecar-inbound" ? telemetry.server : telemetry.client;
  const manager = create(HttpConnectionManagerSchema, {
    // The bootstrap of Istio's agent finds the end of a prefix by it.
    statPrefix: settings.hasCertificates ? `${statPrefix};` : statPrefix,
    routeSpecifier:
      typeof routes === "string"
        ? { case: "rds", value: { configSource: ADS, routeConfigName: routes } }
        : { case: "routeConfig", value: inlineRouteConfiguration(routes, settings.countsAttempts) },
    ...BY_ROLE[role](settings),
    ...serverHeader(role, settings),
    ...PATHS[mesh.pathNormalization],
    ...(idleTimeoutMs !== undefined && {
      commonHttpProtocolOptions: { idleTimeout: duration(idleTimeoutMs) },
    }),
    ...(!settings.addsRequestId && { generateRequestId: false }),
    ...http1Options(role, settings),
    ...tracingOptions(side),
    accessLog: accessLogs(side, "requests"),
    httpFilters: httpFilters(chain, settings),
    // A stream may be silent for as long as it likes (Istio's default).
    streamIdleTimeout: ZERO,
    upgradeConfigs: [{ upgradeType: "websocket" }],
    // `Expect: 100-continue` is for the upstream to answer.
    proxy100Continue: true,
  });
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: packAny(HttpConnectionManagerSchema, manager) },
  };
}

/** What is not said here is Envoy's default: that a request's ID tells whether it is traced. */
function tracingOptions({ tracing, isDecidedByRequestId }: SideTelemetry): Options {
  return {
    ...(tracing !== undefined && { tracing: tracingMessage(tracing) }),
    ...(!isDecidedByRequestId && { requestIdExtension: { typedConfig: UNDECIDED_IDS } }),
  };
}

const UNDECIDED_IDS = packAny(
  UuidRequestIdConfigSchema,
  create(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: false }),
);

const FORWARD: Readonly<Record<ForwardClientCert, Forward>> = {
  SANITIZE: Forward.SANITIZE,
  FORWARD_ONLY: Forward.FORWARD_ONLY,
  APPEND_FORWARD: Forward.APPEND_FORWARD,
  SANITIZE_SET: Forward.SANITIZE_SET,
  ALWAYS_FORWARD_ONLY: Forward.ALWAYS_FORWARD_ONLY,
};

/** What gateways tell of strangers' certificates. */
const GATEWAY_CERT_DETAILS: CertDetails = { subject: true, cert: true, dns: true, uri: true };

/** How far the two sides of a chain are trusted. */
const BY_ROLE: Readonly<Record<HttpRole, (settings: ProxySettings) => Options>> = {
  "sidecar-outbound": ({ addsForwardedPort }) => ({ appendXForwardedPort: addsForwardedPort }),
  "http-proxy": ({ addsForwardedPort }) => ({ appendXForwardedPort: addsForwardedPort }),
  "sidecar-inbound": ({ forwardClientCert, clientCertDetails }) => ({
    forwardClientCertDetails: FORWARD[forwardClientCert],
    setCurrentClientCertDetails: { ...clientCertDetails },
  }),
  // Clients are strangers: what they claim about themselves does not count.
  gateway: ({ gatewayForwardClientCert, trustedProxies, addsForwardedPort }) => ({
    useRemoteAddress: true,
    xffNumTrustedHops: trustedProxies,
    forwardClientCertDetails: FORWARD[gatewayForwardClientCert],
    setCurrentClientCertDetails: GATEWAY_CERT_DETAILS,
    appendXForwardedPort: addsForwardedPort,
  }),
};

/** Sidecars do not call themselves anything to their own app, as Istio has it. */
function serverHeader(role: HttpRole, settings: ProxySettings): Options {
  const { serverName, isServerHeaderPassed, isServerNamed } = settings;
  if (isServerHeaderPassed) return { serverHeaderTransformation: Transformation.PASS_THROUGH };
  const isOutbound = role === "sidecar-outbound" || role === "http-proxy";
  return isOutbound && !isServerNamed ? {} : { serverName };
}

const PATHS: Readonly<Record<PathNormalization, Options>> = {
  NONE: { normalizePath: false },
  BASE: { normalizePath: true },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true },
  DECODE_AND_MERGE_SLASHES: {
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: SlashAction.UNESCAPE_AND_FORWARD,
  },
};

function http1Options(role: HttpRole, { takesHttp10 }: ProxySettings): Options {
  // The form in which clients of a proxy ask: `GET http://host/path`.
  const isProxy = role === "http-proxy";
  if (!isProxy && !takesHttp10) return {};
  return {
    httpProtocolOptions: {
      ...(isProxy && { allowAbsoluteUrl: true }),
      ...(takesHttp10 && { acceptHttp10: true }),
    },
  };
}
