import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type LoadShedPoint,
  LoadShedPointSchema,
  type OverloadAction,
  OverloadActionSchema,
  type OverloadManager,
  OverloadManagerSchema,
  type ResourceMonitor,
  ResourceMonitorSchema,
  type ScaleTimersOverloadActionConfig,
  ScaleTimersOverloadActionConfig_ScaleTimerSchema,
  ScaleTimersOverloadActionConfigSchema,
  ScaleTimersOverloadActionConfig_TimerType as TimerType,
  type Trigger,
  TriggerSchema,
} from "../../api/gen/envoy/config/overload/v3/overload_pb.js";
import { DownstreamConnectionsConfigSchema } from "../../api/gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.js";
import { FixedHeapConfigSchema } from "../../api/gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.js";
import { InjectedResourceConfigSchema } from "../../api/gen/envoy/extensions/resource_monitors/injected_resource/v3/injected_resource_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import {
  ACTION,
  type ActionName,
  CONNECTIONS_MONITOR,
  type LevelConfig,
  type MonitorConfig,
  type OverloadConfig,
  type ResourceTrigger,
  SHED_POINT,
  type ShedPointName,
  type TimeoutKind,
  type TimeoutMinimum,
  type TriggerConfig,
} from "../overload/overload-config.ts";
import { decodeExtension, extension } from "./extension.ts";

const FIELDS = ["refresh_interval", "resource_monitors", "actions", "loadshed_points"];

/** Envoy's default. */
const REFRESH_MS = 1000;

/** Decodes the overload manager of a bootstrap. */
export function decodeOverload(
  message: OverloadManager | undefined,
  path: string,
  issues: Issue[],
): OverloadConfig | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(OverloadManagerSchema, message, FIELDS, path));
  const monitors = decodeMonitors(message.resourceMonitors, path, issues);
  const names = new Set(monitors.map(({ name }) => name));
  const timeoutMinima = new Map<TimeoutKind, TimeoutMinimum>();
  const actions = decodeLevels<ActionName, OverloadAction>(message.actions, issues, {
    path: joinPath(path, "actions"),
    what: "overload action",
    // Envoy knows it even where nobody measures it.
    resources: new Set([...names, CONNECTIONS_MONITOR]),
    decode: (action, at) => decodeAction(action, at, timeoutMinima, issues),
  });
  // Load shed points follow measured resources only.
  names.delete(CONNECTIONS_MONITOR);
  const shedPoints = decodeLevels<ShedPointName, LoadShedPoint>(message.loadshedPoints, issues, {
    path: joinPath(path, "loadshed_points"),
    what: "loadshed point",
    resources: names,
    decode: (point, at) => decodePoint(point, at, issues),
  });
  const refreshMs = durationMs(message.refreshInterval) ?? REFRESH_MS;
  return { refreshMs, monitors, actions, shedPoints, timeoutMinima };
}

type Measured =
  | { readonly kind: "heap"; readonly bytesMax: number }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "connections"; readonly connectionsMax: number };

const MONITORS = [
  extension(FixedHeapConfigSchema, (message, path, issues): Measured => {
    issues.push(...refuseFields(FixedHeapConfigSchema, message, ["max_heap_size_bytes"], path));
    return { kind: "heap", bytesMax: Number(message.maxHeapSizeBytes) };
  }),
  extension(InjectedResourceConfigSchema, (message, path, issues): Measured => {
    issues.push(...refuseFields(InjectedResourceConfigSchema, message, ["filename"], path));
    return { kind: "file", path: message.filename };
  }),
  extension(DownstreamConnectionsConfigSchema, (message, path, issues): Measured => {
    const fields = ["max_active_downstream_connections"];
    issues.push(...refuseFields(DownstreamConnectionsConfigSchema, message, fields, path));
    const connectionsMax = Number(message.maxActiveDownstreamConnections);
    if (connectionsMax <= 0) {
      issues.push({ path: joinPath(path, fields[0] ?? ""), message: "must be greater than 0" });
    }
    return { kind: "connections", connectionsMax };
  }),
];

function decodeMonitors(
  messages: readonly ResourceMonitor[],
  parent: string,
  issues: Issue[],
): MonitorConfig[] {
  const monitors: MonitorConfig[] = [];
  for (const [at, message] of messages.entries()) {
    const path = joinPath(parent, `resource_monitors[${at}]`);
    issues.push(...refuseFields(ResourceMonitorSchema, message, ["name", "typed_config"], path));
    const { name } = message;
    const any = message.configType.value;
    const measured = decodeExtension(MONITORS, { name, any, path }, issues);
    if (measured === undefined) continue;
    // Under another name Envoy does not find one that is asked for one by one.
    if ((measured.kind === "connections") !== (name === CONNECTIONS_MONITOR)) {
      const what = `Didn't find a registered implementation for name: '${name}'`;
      issues.push({ path, message: what });
    }
    if (monitors.some((other) => other.name === name)) {
      issues.push({ path, message: `Duplicate resource monitor ${name}` });
    }
    monitors.push({ name, ...measured });
  }
  return monitors;
}

interface LevelContext<Name extends string, Message> {
  readonly path: string;
  readonly what: "overload action" | "loadshed point";
  readonly resources: ReadonlySet<string>;
  /** Its name, when it is one that is built. */
  readonly decode: (message: Message, path: string) => Name | undefined;
}

function decodeLevels<
  Name extends string,
  Message extends { readonly name: string; readonly triggers: readonly Trigger[] },
>(
  messages: readonly Message[],
  issues: Issue[],
  { path, what, resources, decode }: LevelContext<Name, Message>,
): LevelConfig<Name>[] {
  const levels: LevelConfig<Name>[] = [];
  for (const [at, message] of messages.entries()) {
    const levelPath = `${path}[${at}]`;
    const name = decode(message, levelPath);
    const triggers = message.triggers.flatMap((trigger, index) => {
      const triggerPath = joinPath(levelPath, `triggers[${index}]`);
      const resource = trigger.name;
      if (!resources.has(resource)) {
        const unknown = `Unknown trigger resource ${resource} for ${what} ${message.name}`;
        issues.push({ path: triggerPath, message: unknown });
      }
      if (message.triggers.findIndex((other) => other.name === resource) < index) {
        const kind = what === "loadshed point" ? "LoadShedPoint" : what;
        const twice = `Duplicate trigger resource for ${kind} ${message.name}`;
        issues.push({ path: triggerPath, message: twice });
      }
      return decodeTrigger(trigger, triggerPath, issues) ?? [];
    });
    if (name === undefined) continue;
    if (levels.some((other) => other.name === name)) {
      issues.push({ path: levelPath, message: `Duplicate ${what} ${name}` });
    }
    levels.push({ name, triggers });
  }
  return levels;
}

function decodeTrigger(
  message: Trigger,
  path: string,
  issues: Issue[],
): ResourceTrigger | undefined {
  issues.push(...refuseFields(TriggerSchema, message, ["name", "threshold", "scaled"], path));
  const { triggerOneof: given } = message;
  let trigger: TriggerConfig;
  if (given.case === "threshold") {
    trigger = { kind: "threshold", value: given.value.value };
  } else if (given.case === "scaled") {
    const { scalingThreshold: from, saturationThreshold: to } = given.value;
    if (from >= to) {
      const what = "scaling_threshold must be less than saturation_threshold";
      issues.push({ path: joinPath(path, "scaled"), message: what });
    }
    trigger = { kind: "scaled", from, to };
  } else {
    issues.push({ path, message: `action not set for trigger ${message.name}` });
    return undefined;
  }
  return { resource: message.name, trigger };
}

const ACTIONS: readonly string[] = Object.values(ACTION);
const RESET_STREAMS = "envoy.overload_actions.reset_high_memory_stream";

function decodeAction(
  message: OverloadAction,
  path: string,
  timeoutMinima: Map<TimeoutKind, TimeoutMinimum>,
  issues: Issue[],
): ActionName | undefined {
  const { name, typedConfig: any } = message;
  const fields = ["name", "triggers", "typed_config"];
  issues.push(...refuseFields(OverloadActionSchema, message, fields, path));
  if (name === RESET_STREAMS) {
    // Node does not say how much memory a stream has.
    issues.push({ path, message: `${name} is not supported yet` });
    return undefined;
  }
  if (!isAction(name)) {
    issues.push({ path, message: `Unknown Overload Manager Action ${name}` });
    return undefined;
  }
  if (name === ACTION.reduceTimeouts) decodeTimeouts(any, path, timeoutMinima, issues);
  else if (any !== undefined) {
    const what = `Overload action "${name}" has an unexpected value for the typed_config field`;
    issues.push({ path, message: what });
  }
  return name;
}

function isAction(name: string): name is ActionName {
  return ACTIONS.includes(name);
}

const SCALE_TIMERS = extension(
  ScaleTimersOverloadActionConfigSchema,
  (message, path, issues): ScaleTimersOverloadActionConfig => {
    const fields = ["timer_scale_factors"];
    issues.push(...refuseFields(ScaleTimersOverloadActionConfigSchema, message, fields, path));
    return message;
  },
);

const KIND_BY_TIMER: Readonly<Partial<Record<TimerType, TimeoutKind>>> = {
  [TimerType.HTTP_DOWNSTREAM_CONNECTION_IDLE]: "connectionIdle",
  [TimerType.HTTP_DOWNSTREAM_STREAM_IDLE]: "streamIdle",
  [TimerType.TRANSPORT_SOCKET_CONNECT]: "transportConnect",
};

function decodeTimeouts(
  any: Any | undefined,
  parent: string,
  minima: Map<TimeoutKind, TimeoutMinimum>,
  issues: Issue[],
): void {
  const path = joinPath(parent, "typed_config");
  const name = ACTION.reduceTimeouts;
  const config = decodeExtension([SCALE_TIMERS], { name, any, path }, issues);
  for (const [at, timer] of (config?.timerScaleFactors ?? []).entries()) {
    const timerPath = joinPath(path, `timer_scale_factors[${at}]`);
    const fields = ["timer", "min_timeout", "min_scale"];
    const schema = ScaleTimersOverloadActionConfig_ScaleTimerSchema;
    issues.push(...refuseFields(schema, timer, fields, timerPath));
    const kind = KIND_BY_TIMER[timer.timer];
    if (kind === undefined) {
      issues.push({ path: timerPath, message: `Unknown timer type ${timer.timer}` });
      continue;
    }
    if (minima.has(kind)) {
      const what = `Found duplicate entry for timer type ${TimerType[timer.timer]}`;
      issues.push({ path: timerPath, message: what });
    }
    const { overloadAdjust: least } = timer;
    minima.set(
      kind,
      least.case === "minTimeout"
        ? { ms: durationMs(least.value) ?? 0 }
        : { share: Math.min(1, Math.max(0, (least.value?.value ?? 0) / 100)) },
    );
  }
}

const POINTS: readonly string[] = Object.values(SHED_POINT);

function decodePoint(
  message: LoadShedPoint,
  path: string,
  issues: Issue[],
): ShedPointName | undefined {
  const { name } = message;
  issues.push(...refuseFields(LoadShedPointSchema, message, ["name", "triggers"], path));
  if (isPoint(name)) return name;
  issues.push({ path, message: `${name} is not supported yet` });
  return undefined;
}

function isPoint(name: string): name is ShedPointName {
  return POINTS.includes(name);
}
