import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const FILE = {
  name: "file",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig",
    filename: "/tmp/nobody-writes-this",
  },
};
const CONNECTIONS = {
  name: "envoy.resource_monitors.global_downstream_max_connections",
  typed_config: {
    "@type":
      "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
    max_active_downstream_connections: 1,
  },
};
const TIMERS = "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig";
const ABOVE = { name: "file", threshold: { value: 0.5 } };
const STOP = { name: "envoy.overload_actions.stop_accepting_requests", triggers: [ABOVE] };
const REDUCE = { name: "envoy.overload_actions.reduce_timeouts", triggers: [ABOVE] };
const ACCEPT = { name: "envoy.load_shed_points.tcp_listener_accept", triggers: [ABOVE] };

function overload(options: object): object {
  return { overload_manager: { resource_monitors: [FILE], ...options } };
}

function triggers(list: readonly object[]): object {
  return overload({ actions: [{ ...STOP, triggers: list }] });
}

function timers(...factors: readonly object[]): object {
  const config = { "@type": TIMERS, timer_scale_factors: factors };
  return overload({ actions: [{ ...REDUCE, typed_config: config }] });
}

const IDLE = { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_timeout: "1s" };

const TABLE: readonly (readonly [name: string, bootstrap: object, message: string])[] = [
  ["no resource", { overload_manager: {} }, "resource_monitors"],
  [
    "a resource twice",
    overload({ resource_monitors: [FILE, FILE] }),
    "Duplicate resource monitor file",
  ],
  [
    "a resource that nobody measures",
    overload({ resource_monitors: [{ name: "x" }] }),
    "Didn't find a registered implementation",
  ],
  [
    "connections under another name",
    overload({ resource_monitors: [{ ...CONNECTIONS, name: "x" }] }),
    "Didn't find a registered implementation",
  ],
  [
    "no connection",
    overload({
      resource_monitors: [
        {
          ...CONNECTIONS,
          typed_config: { ...CONNECTIONS.typed_config, max_active_downstream_connections: 0 },
        },
      ],
    }),
    "must be greater than 0",
  ],
  [
    "an action that there is not",
    overload({ actions: [{ ...STOP, name: "x" }] }),
    "Unknown Overload Manager Action x",
  ],
  [
    "an action twice",
    overload({ actions: [STOP, STOP] }),
    `Duplicate overload action ${STOP.name}`,
  ],
  [
    "an action with a configuration that it does not take",
    overload({ actions: [{ ...STOP, typed_config: FILE.typed_config }] }),
    `Overload action "${STOP.name}" has an unexpected value for the typed_config field`,
  ],
  ["a trigger without resource", triggers([{ ...ABOVE, name: "x" }]), "Unknown trigger resource x"],
  [
    "two triggers of one resource",
    triggers([ABOVE, ABOVE]),
    "Duplicate trigger resource for overload action",
  ],
  ["no trigger", triggers([]), "triggers"],
  ["a trigger of nothing", triggers([{ name: "file" }]), "action not set for trigger file"],
  ["a threshold above 1", triggers([{ name: "file", threshold: { value: 1.5 } }]), "threshold"],
  [
    "a scale upside down",
    triggers([{ name: "file", scaled: { scaling_threshold: 0.9, saturation_threshold: 0.5 } }]),
    "scaling_threshold must be less than saturation_threshold",
  ],
  ["no time-outs to reduce", overload({ actions: [REDUCE] }), "typed_config"],
  ["no time-out to reduce", timers(), "timer_scale_factors"],
  [
    "a time-out twice",
    timers(IDLE, IDLE),
    "Found duplicate entry for timer type HTTP_DOWNSTREAM_STREAM_IDLE",
  ],
  ["a time-out of no kind", timers({ timer: "UNSPECIFIED", min_timeout: "1s" }), "timer"],
  [
    "a time-out without minimum",
    timers({ timer: IDLE.timer }),
    "must have one of min_timeout, min_scale",
  ],
  [
    "a load shed point twice",
    overload({ loadshed_points: [ACCEPT, ACCEPT] }),
    `Duplicate loadshed point ${ACCEPT.name}`,
  ],
  [
    "a load shed point of connections",
    overload({
      resource_monitors: [CONNECTIONS],
      loadshed_points: [
        { ...ACCEPT, triggers: [{ name: CONNECTIONS.name, threshold: { value: 0.5 } }] },
      ],
    }),
    `Unknown trigger resource ${CONNECTIONS.name} for loadshed point`,
  ],
  [
    "streams that are reset without a buffer factory",
    overload({
      actions: [{ ...STOP, name: "envoy.overload_actions.reset_high_memory_stream" }],
    }),
    "envoy.overload_actions.reset_high_memory_stream is not supported yet",
  ],
];

/** Overload managers that neither weft nor Envoy starts with. */
export const REFUSED_OVERLOAD: readonly RefusedBootstrap[] = TABLE.map(
  ([name, bootstrap, message]) => ({ name: `overload: ${name}`, bootstrap, message }),
);
