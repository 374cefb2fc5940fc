import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  Http2ProtocolOptionsSchema,
} from "../api/gen/envoy/config/core/v3/protocol_pb.js";
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from "../api/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { packAny, typeUrlOf } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { Cluster } from "../model/cluster.ts";
import type { ConnectionPool } from "../model/traffic-policy.ts";
import { duration } from "./wire.ts";

type Options = MessageInitShape<typeof HttpProtocolOptionsSchema>;
type CommonOptions = MessageInitShape<typeof CommonOptionsSchema>;

/**
 * How upstreams are spoken to. HTTP/1.1 and bytes need no word.
 */
export function protocolOptions({
  policy,
  httpIdleTimeoutMs,
  transport,
  upstreamProtocol,
  discovery,
}: Cluster): Record<string, ReturnType<typeof packAny>> {
  const { isSniFromHost, isNameFromHost } = transport?.tls ?? NO_NAMES;
  const facts: OptionFacts = {
    httpIdleTimeoutMs,
    isSniFromHost,
    isNameFromHost,
    upstreamProtocol,
    isDynamic: discovery.type === "dynamic-dns",
  };
  return optionsOf(policy, JSON.stringify(facts));
}

const NO_NAMES = { isSniFromHost: false, isNameFromHost: false };

/** What the options depend on besides the policy. */
interface OptionFacts {
  readonly httpIdleTimeoutMs: number | undefined;
  readonly isSniFromHost: boolean;
  readonly isNameFromHost: boolean;
  readonly upstreamProtocol: Cluster["upstreamProtocol"];
  readonly isDynamic: boolean;
}

/** The same for all clusters with a policy, most of which differ in nothing else. */
const optionsOf = memoise((policy: Cluster["policy"], text: string) => {
  const facts = JSON.parse(text) as OptionFacts;
  const common = commonOptions(policy, facts);
  const names = nameOptions(facts);
  const version = versionOptions(policy, facts);
  if (common === undefined && names === undefined && version === undefined) return {};
  const options = create(HttpProtocolOptionsSchema, {
    ...(common !== undefined && { commonHttpProtocolOptions: common }),
    ...(names !== undefined && { upstreamHttpProtocolOptions: names }),
    // Whoever looks up names has to say that TLS would check them, even where there is none.
    ...(names === undefined &&
      facts.isDynamic && {
        upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true },
      }),
    upstreamProtocolOptions: version ?? EXPLICIT_HTTP1,
  });
  const name = typeUrlOf(HttpProtocolOptionsSchema).replace("type.googleapis.com/", "");
  return { [name]: packAny(HttpProtocolOptionsSchema, options) };
});

function commonOptions(
  policy: Cluster["policy"],
  { httpIdleTimeoutMs }: OptionFacts,
): CommonOptions | undefined {
  const { connectionPool: pool } = policy;
  const idleMs = pool.httpIdleTimeoutMs ?? pool.tcpIdleTimeoutMs ?? httpIdleTimeoutMs;
  const { maxRequestsPerConnection, maxConnectionDurationMs } = pool;
  const options: CommonOptions = {
    ...(idleMs !== undefined && { idleTimeout: duration(idleMs) }),
    ...(maxRequestsPerConnection !== undefined && { maxRequestsPerConnection }),
    ...(maxConnectionDurationMs !== undefined && {
      maxConnectionDuration: duration(maxConnectionDurationMs),
    }),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

/** What of the request's host TLS asks for and checks. */
function nameOptions({
  isSniFromHost,
  isNameFromHost,
}: OptionFacts): Options["upstreamHttpProtocolOptions"] {
  if (!isSniFromHost && !isNameFromHost) return undefined;
  return { autoSni: isSniFromHost, autoSanValidation: isNameFromHost };
}

type Version = NonNullable<Options["upstreamProtocolOptions"]>;

/** Has to be said as soon as anything else is. */
const EXPLICIT_HTTP1: Version = {
  case: "explicitHttpConfig",
  value: { protocolConfig: { case: "httpProtocolOptions", value: {} } },
};

function versionOptions(
  policy: Cluster["policy"],
  { upstreamProtocol }: OptionFacts,
): HttpProtocolOptions["upstreamProtocolOptions"] | Version | undefined {
  const http2 = http2Options(policy.connectionPool);
  if (upstreamProtocol === "http2") {
    return {
      case: "explicitHttpConfig",
      value: { protocolConfig: { case: "http2ProtocolOptions", value: http2 } },
    };
  }
  if (upstreamProtocol !== "client") return undefined;
  return {
    case: "useDownstreamProtocolConfig",
    value: { httpProtocolOptions: {}, http2ProtocolOptions: http2 },
  };
}

function http2Options({
  maxConcurrentStreams,
  http2KeepAlive,
}: ConnectionPool): MessageInitShape<typeof Http2ProtocolOptionsSchema> {
  return {
    ...(maxConcurrentStreams !== undefined && { maxConcurrentStreams }),
    ...(http2KeepAlive !== undefined && {
      connectionKeepalive: {
        interval: duration(http2KeepAlive.intervalMs),
        timeout: duration(http2KeepAlive.timeoutMs),
      },
    }),
  };
}
