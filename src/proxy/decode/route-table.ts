import { readFileSync } from "node:fs";
import { type DescField, type DescMessage, isFieldSet, type Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  type RouteAction_UpgradeConfig,
  RouteAction_UpgradeConfigSchema,
} from "../../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../../api/gen/envoy/config/route/v3/route_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath } from "../../match/refuse-fields.ts";
import { decodeRouteConfig, type RouteConfig } from "../../match/route-config.ts";
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
  "envoy.config.route.v3.RouteAction.UpgradeConfig.ConnectConfig": ["allow_post"],
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": [],
};

/** Decodes a route table for this proxy. */
export function decodeRouteTable(message: RouteConfiguration): Result<RouteConfig> {
  const issues: Issue[] = [];
  refuseUnbuilt(RouteConfigurationSchema, message, "", issues);
  if (issues.length > 0) return { ok: false, issues };
  return decodeRouteConfig(message, {
    readFile: (path) => readFileSync(path, "latin1"),
    decodeOverride: decodeRouteSettings,
  });
}

/** Walks everything that the message holds. */
function refuseUnbuilt(schema: DescMessage, message: Message, path: string, issues: Issue[]): void {
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
