import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import type { Host } from "../cluster/host.ts";

/** Why a check failed, by Envoy's names. */
export type FailureKind = "ACTIVE" | "PASSIVE" | "NETWORK" | "NETWORK_TIMEOUT";

/** Takes one line of a log, with its end. */
export type WriteLine = (line: string) => void;

/**
 * Writes what checks find out, as lines of JSON in the form and with all the fields in which Envoy
 * writes its `HealthCheckEvent`.
 */
export class HealthEvents {
  readonly #kind: "HTTP" | "TCP" | "GRPC";
  readonly #clock: Clock;
  readonly #logs: readonly WriteLine[];

  constructor(kind: "HTTP" | "TCP" | "GRPC", clock: Clock, logs: readonly WriteLine[]) {
    this.#kind = kind;
    this.#clock = clock;
    this.#logs = logs;
  }

  /** `status` is that of the response; 0 without one. */
  ejectUnhealthy(host: Host, kind: FailureKind, status: number): void {
    const event = { failure_type: kind, http_status_code: status };
    this.#write(host, { before: { eject_unhealthy_event: event } });
  }

  addHealthy(host: Host, isFirst: boolean): void {
    this.#write(host, { before: { add_healthy_event: { first_check: isFirst } } });
  }

  failure(host: Host, kind: FailureKind, isFirst: boolean, status: number): void {
    const event = { failure_type: kind, first_check: isFirst, http_status_code: status };
    this.#write(host, { after: { health_check_failure_event: event } });
  }

  degraded(host: Host): void {
    this.#write(host, { after: { degraded_healthy_host: {} } });
  }

  noLongerDegraded(host: Host): void {
    this.#write(host, { after: { no_longer_degraded_host: {} } });
  }

  success(host: Host): void {
    this.#write(host, { last: { successful_health_check_event: {} } });
  }

  /** Fields stand in the order of their numbers: before or after the time, or behind all. */
  #write(
    host: Host,
    event: {
      readonly before?: JsonObject;
      readonly after?: JsonObject;
      readonly last?: JsonObject;
    },
  ): void {
    const { locality, metadata } = host.state;
    const { region, zone, subZone } = locality;
    const line = JSON.stringify({
      health_checker_type: this.#kind,
      host: addressJson(host),
      cluster_name: host.load.config.name,
      ...event.before,
      timestamp: formatTime(this.#clock.nowMs()),
      ...event.after,
      ...(Object.keys(metadata).length === 0
        ? {}
        : { metadata: { filter_metadata: metadata, typed_filter_metadata: {} } }),
      locality: { region, zone, sub_zone: subZone },
      ...event.last,
    });
    for (const log of this.#logs) log(`${line}\n`);
  }
}

function addressJson({ address, port }: Host): JsonObject {
  if (address.startsWith("/")) return { pipe: { path: address, mode: 0 } };
  return {
    socket_address: {
      protocol: "TCP",
      address,
      port_value: port,
      resolver_name: "",
      ipv4_compat: false,
      network_namespace_filepath: "",
    },
  };
}

/** As protobuf writes times: without a fraction where there is none. */
function formatTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(".000Z", "Z");
}
