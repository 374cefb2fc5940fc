import { readFileSync } from "node:fs";
import {
  type DescField,
  type DescMessage,
  fromBinary,
  isFieldSet,
  type Message,
} from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  type RouteAction_UpgradeConfig,
  RouteAction_UpgradeConfigSchema,
  type VirtualHost,
  VirtualHostSchema,
} from "../../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
  VhdsSchema,
} from "../../api/gen/envoy/config/route/v3/route_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import {
  decodeRouteConfig,
  type OnDemandHost,
  type OnDemandTable,
  type RouteConfig,
} from "../../match/route-config.ts";
import type { RouteDecodeDeps } from "../../match/route-context.ts";
import { checkRules } from "../check-rules.ts";
import { isAds } from "./config-source.ts";
import { decodeRouteSettings } from "./http-filters.ts";

/**
 * What the matchers decode and the proxy does not do yet, by message; refused by name until it is
 * built.
 */
const UNBUILT: Readonly<Record<string, readonly string[]>> = {
  "envoy.config.route.v3.RouteConfiguration": [],
  "envoy.config.route.v3.VirtualHost": [],
  "envoy.config.route.v3.Route": [],
  "envoy.config.route.v3.RouteAction": [],
  "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig": [],
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": [],
};

/** Decodes a route table for this proxy. */
export function decodeRouteTable(message: RouteConfiguration): Result<RouteConfig> {
  const issues: Issue[] = [];
  checkVhds(message, issues);
  refuseUnbuilt(RouteConfigurationSchema, message, "", issues);
  if (issues.length > 0) return { ok: false, issues };
  return decodeRouteConfig(message, ROUTE_DEPS);
}

/** What this proxy knows of files and of settings for filters. */
export const ROUTE_DEPS: RouteDecodeDeps = {
  readFile: (path) => readFileSync(path, "latin1"),
  decodeOverride: decodeRouteSettings,
};

/** Checks where virtual hosts come from that are not in the table. */
export function checkVhds({ vhds }: RouteConfiguration, issues: Issue[]): void {
  if (vhds === undefined) return;
  issues.push(...refuseFields(VhdsSchema, vhds, ["config_source"], "vhds"));
  isAds(vhds.configSource, "vhds.config_source", issues);
}

/** So long a first virtual host is waited for, where `vhds` does not say; Envoy's default. */
const FIRST_HOST_MS = 15_000;

/** How long a table with `vhds` waits for virtual hosts; 0 is for ever. */
export function firstHostMs({ vhds }: RouteConfiguration): number {
  return durationMs(vhds?.configSource?.initialFetchTimeout) ?? FIRST_HOST_MS;
}

/** Decodes a virtual host that came by itself, under the settings of its table. */
export function decodeOnDemandHost(table: OnDemandTable, body: Uint8Array): Result<OnDemandHost> {
  let message: VirtualHost;
  try {
    message = fromBinary(VirtualHostSchema, body);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const what = `cannot decode ${VirtualHostSchema.typeName}: ${cause}`;
    return { ok: false, issues: [{ path: "", message: what }] };
  }
  const issues: Issue[] = [];
  refuseUnbuilt(VirtualHostSchema, message, "", issues);
  if (issues.length > 0) return { ok: false, issues };
  const decoded = table.decode(message);
  if (!decoded.ok) return decoded;
  const broken = checkRules(VirtualHostSchema, message, "");
  return broken.length > 0 ? { ok: false, issues: broken } : decoded;
}

/** Walks everything that the message holds. */
export function refuseUnbuilt(
  schema: DescMessage,
  message: Message,
  path: string,
  issues: Issue[],
): void {
  if (schema === RouteAction_UpgradeConfigSchema && isConnectUdp(message)) {
    issues.push({
      path: joinPath(path, "upgrade_type"),
      message: "CONNECT-UDP is not supported yet",
    });
  }
  for (const field of schema.fields) {
    if (!isFieldSet(message, field)) continue;
    const at = joinPath(path, field.name);
    const fields = message as unknown as Readonly<Record<string, unknown>>;
    const value =
      field.oneof === undefined
        ? fields[field.localName]
        : (fields[field.oneof.localName] as { readonly value?: unknown }).value;
    if (UNBUILT[schema.typeName]?.includes(field.name) === true && !isNoTime(field, value)) {
      issues.push({ path: at, message: "is not supported yet" });
    }
    if (field.message === undefined || field.fieldKind === "map") continue;
    const items = field.fieldKind === "list" ? (value as readonly unknown[]) : [value];
    for (const [index, item] of items.entries()) {
      const itemPath = field.fieldKind === "list" ? `${at}[${index}]` : at;
      refuseUnbuilt(field.message, item as Message, itemPath, issues);
    }
  }
}

function isConnectUdp(message: Message): boolean {
  return (message as RouteAction_UpgradeConfig).upgradeType.toLowerCase() === "connect-udp";
}

/** A limit of zero is none, which is how it is without the field. */
function isNoTime({ message }: DescField, value: unknown): boolean {
  return message?.typeName === "google.protobuf.Duration" && durationMs(value as Duration) === 0;
}
