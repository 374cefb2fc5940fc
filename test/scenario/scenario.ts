import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { httpListener, routeTable, socketAddress } from "../proxy/bootstrap-json.ts";
import type { Behaviour } from "../sim/behaviour.ts";

/** One server of a scenario, as its cluster's load assignment names it. */
export interface ScenarioUpstream {
  readonly priority?: number;
  readonly zone?: string;
  /** Of its locality. */
  readonly localityWeight?: number;
  readonly weight?: number;
  /** What discovery says. */
  readonly health?: string;
  readonly metadata?: JsonObject;
  /** Merged into the endpoint. */
  readonly endpoint?: JsonObject;
  /** From the beginning. */
  readonly behaviour?: Behaviour;
}

/** What happens, one thing after the other. */
export type Step =
  | {
      readonly kind: "send";
      readonly count: number;
      /** All at once; otherwise each when the one before is answered. */
      readonly isTogether: boolean;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "become"; readonly upstream: number; readonly behaviour: Behaviour };

/** Sends requests, one after the other. */
export function send(count = 1, headers: Readonly<Record<string, string>> = {}): Step {
  return { kind: "send", count, isTogether: false, headers };
}

/** Sends requests at once, and waits for all answers. */
export function sendTogether(count: number, headers: Readonly<Record<string, string>> = {}): Step {
  return { kind: "send", count, isTogether: true, headers };
}

export function wait(ms: number): Step {
  return { kind: "wait", ms };
}

/** A server behaves otherwise from now on. */
export function become(upstream: number, behaviour: Behaviour): Step {
  return { kind: "become", upstream, behaviour };
}

/**
 * Something that a cluster goes through: weft's proxy in simulated time, Envoy in real time, and
 * both must do the same.
 */
export interface Scenario {
  readonly name: string;
  /** Merged into the cluster. */
  readonly cluster?: JsonObject;
  /** Merged into the policy of its load assignment. */
  readonly policy?: JsonObject;
  /** Merged into the route's action. */
  readonly route?: JsonObject;
  /** Merged into the connection manager. */
  readonly manager?: JsonObject;
  readonly upstreams: readonly ScenarioUpstream[];
  readonly steps: readonly Step[];
  /** What is compared besides answers: counters and gauges below `cluster.<name>.`. */
  readonly counters?: readonly string[];
  /** What decides is drawn: only how many answers of each kind there were is compared. */
  readonly isDrawn?: boolean;
  /** What both must do: lines as `Outcome` has them, to be sure that the case shows what it says. */
  readonly expect: readonly string[];
}

/** What a scenario came to. */
export interface Outcome {
  /** For each request: status, flags and details as access logs have them, and which server. */
  readonly answers: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

/** How a header of every answer names its server. */
export const UPSTREAM_HEADER = "x-upstream";

/** What the access log says of each request. */
export const LOG_FORMAT =
  "%REQ(X-REQUEST)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n";

const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

/** Where a scenario runs. */
export interface Place {
  readonly name: string;
  readonly port: number;
  /** Of its servers, in order. */
  readonly upstreamPorts: readonly number[];
  readonly logPath: string;
}

/** The listener and the cluster of a scenario. */
export function configure(
  scenario: Scenario,
  place: Place,
): { readonly listener: JsonObject; readonly cluster: JsonObject } {
  const format = { text_format_source: { inline_string: LOG_FORMAT } };
  const log = { "@type": FILE_LOG, path: place.logPath, log_format: format };
  const route = { cluster: place.name, timeout: "5s", ...scenario.route };
  const listener = httpListener(place.name, place.port, {
    route_config: routeTable([{ match: { prefix: "/" }, route }]),
    access_log: [{ name: "file", typed_config: log }],
    ...scenario.manager,
  });
  const endpoints = scenario.upstreams.map((upstream, at) =>
    localityOf(upstream, place.upstreamPorts[at] ?? 0),
  );
  const policy = scenario.policy === undefined ? {} : { policy: scenario.policy };
  const cluster = {
    name: place.name,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: place.name, endpoints, ...policy },
    ...scenario.cluster,
  };
  return { listener: listener as JsonObject, cluster };
}

function localityOf(upstream: ScenarioUpstream, port: number): JsonObject {
  const { priority = 0, zone, localityWeight, weight, health, metadata, endpoint } = upstream;
  const lbEndpoint: JsonObject = {
    endpoint: { address: socketAddress(port) as JsonValue, ...endpoint },
    ...(health === undefined ? {} : { health_status: health }),
    ...(weight === undefined ? {} : { load_balancing_weight: weight }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  return {
    priority,
    ...(zone === undefined ? {} : { locality: { zone } }),
    ...(localityWeight === undefined ? {} : { load_balancing_weight: localityWeight }),
    lb_endpoints: [lbEndpoint],
  };
}

/** The log says how a request went; its answer, which server gave it. */
export function describeAnswer(logLine: string, upstream: string | undefined): string {
  return upstream === undefined ? logLine : `${logLine} @${upstream}`;
}
