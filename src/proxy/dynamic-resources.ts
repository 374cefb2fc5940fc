import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import type { Issue } from "../base/issue.ts";
import type { ResourceType } from "../xdsclient/resource-type.ts";
import { namesGone, prepareAll, prepareBodies } from "./apply-resources.ts";
import type { ClusterSet } from "./cluster/cluster-set.ts";
import { readAssignment } from "./decode/assignment-decoder.ts";
import { decodeCluster } from "./decode/cluster.ts";
import { decodeListener } from "./decode/listener.ts";
import { decodeEncodedTable } from "./decode/route-table-decoder.ts";
import { readText } from "./decode/split-message.ts";
import type { ListenerSet } from "./listener/listener-set.ts";
import type { RouteSet } from "./route-set.ts";
import { type AskedSecret, clusterSecretRefs, listenerSecretRefs } from "./secret/secret-refs.ts";
import { ADS_STREAM, type SecretStore } from "./secret/secret-store.ts";
import { secretType } from "./secret/secret-streams.ts";

/** Where the resources of a control plane go. */
export interface ResourceTargets {
  readonly clusters: ClusterSet;
  readonly routes: RouteSet;
  /** Whether virtual hosts may come by themselves: in delta only. */
  readonly hasVirtualHosts: boolean;
  /** How many processes take them: each would ask for virtual hosts of its own. */
  readonly processes: number;
  readonly listeners: ListenerSet;
  readonly secrets: SecretStore;
  /** What asks for a secret where there is none. */
  readonly checkSecrets: (asked: readonly AskedSecret[]) => readonly Issue[];
  /** Told after every response, when names to ask for may have changed. */
  readonly onApplied: (typeUrl: string) => void;
  /** A listener that was taken could not start after all. */
  readonly onListenerFailure: (name: string, cause: string) => void;
}

/** The types that a proxy asks for, in Envoy's order: what is named comes before what names it. */
export function createResourceTypes(targets: ResourceTargets): readonly ResourceType[] {
  return [
    clusters(targets),
    endpoints(targets),
    listeners(targets),
    routes(targets),
    virtualHosts(targets),
    secretType(targets.secrets, ADS_STREAM),
  ];
}

function clusters({ clusters: target, onApplied, checkSecrets }: ResourceTargets): ResourceType {
  /** Every cluster that came this way and is held, in its last good form. */
  const held = new Set<string>();
  return {
    typeUrl: RESOURCE_TYPE_URL.cluster,
    isWildcard: true,
    apply(update) {
      const { prepared, rejections, names } = prepareAll(update, {
        schema: ClusterSchema,
        nameField: ClusterSchema.field.name.number,
        heldBody: (name) => (held.has(name) ? target.newestOf(name)?.config.body : undefined),
        decode: (message, body) => {
          const decoded = decodeCluster(message, body);
          const issues = decoded.ok ? checkSecrets(clusterSecretRefs(decoded.value)) : [];
          return issues.length > 0 ? { ok: false, issues } : decoded;
        },
      });
      for (const { name, value } of prepared) {
        if (!held.has(name) && target.find(name)?.isDynamic === false) {
          const reason = `cluster ${name} is static and cannot be changed`;
          rejections.push({ name, reason });
          continue;
        }
        held.add(name);
        target.put(value, true);
      }
      // After the new ones, as in Envoy: endpoints that one of those has as well stay known.
      for (const name of namesGone(held, update, names)) {
        held.delete(name);
        target.remove(name);
      }
      onApplied(RESOURCE_TYPE_URL.cluster);
      return rejections;
    },
  };
}

function endpoints({ clusters: target, onApplied }: ResourceTargets): ResourceType {
  return {
    typeUrl: RESOURCE_TYPE_URL.endpoint,
    isWildcard: false,
    apply(update) {
      const { prepared, rejections } = prepareBodies(
        ClusterLoadAssignmentSchema,
        update,
        (body) => {
          const encoded = readAssignment(body);
          const { name } = encoded;
          return { name, decode: () => encoded.decode(target.assignmentOf(name)) };
        },
      );
      for (const { value } of prepared) target.assign(value);
      for (const { name } of rejections) target.refuse(name);
      for (const name of update.removed) target.onUnassigned(name);
      onApplied(RESOURCE_TYPE_URL.endpoint);
      return rejections;
    },
  };
}

function listeners({ listeners: target, onApplied, checkSecrets }: ResourceTargets): ResourceType {
  const held = new Set<string>();
  return {
    typeUrl: RESOURCE_TYPE_URL.listener,
    isWildcard: true,
    async apply(update) {
      const { prepared, rejections, names } = prepareAll(update, {
        schema: ListenerSchema,
        nameField: ListenerSchema.field.name.number,
        heldBody: (name) => (held.has(name) ? target.newestOf(name)?.config.body : undefined),
        decode: (message, body) => {
          const decoded = decodeListener(message, body);
          const issues = decoded.ok ? checkSecrets(listenerSecretRefs(decoded.value)) : [];
          return issues.length > 0 ? { ok: false, issues } : decoded;
        },
      });
      // Before the new ones, as in Envoy: one of those may have the address of one that goes.
      for (const name of namesGone(held, update, names)) {
        held.delete(name);
        void target.remove(name);
      }
      for (const { name, value } of prepared) {
        try {
          await target.put(value, true);
          held.add(name);
        } catch (error) {
          rejections.push({ name, reason: error instanceof Error ? error.message : String(error) });
        }
      }
      onApplied(RESOURCE_TYPE_URL.listener);
      return rejections;
    },
  };
}

/** In Envoy's words. */
const DELTA_ONLY = "vhds: ADS must use DELTA_GRPC api_type when used as VHDS config source.";

/** A table that is gone stays in use, as in Envoy: listeners that name it have no other. */
function routes({ routes: target, listeners: users, ...targets }: ResourceTargets): ResourceType {
  const decode: typeof decodeEncodedTable = (body, previous) => {
    const decoded = decodeEncodedTable(body, previous);
    const isWrong = decoded.ok && decoded.value.config.onDemand !== undefined;
    if (isWrong && targets.processes > 1) {
      return { ok: false, issues: [{ path: "vhds", message: "needs --concurrency 1" }] };
    }
    if (!isWrong || targets.hasVirtualHosts) return decoded;
    return { ok: false, issues: [{ path: "vhds.config_source", message: DELTA_ONLY }] };
  };
  return {
    typeUrl: RESOURCE_TYPE_URL.route,
    isWildcard: false,
    apply(update) {
      const schema = RouteConfigurationSchema;
      const { prepared, rejections } = prepareBodies(schema, update, (body) => {
        const name = readText(body, schema.field.name.number);
        const held = target.bodyOf(name);
        const isHeld = held !== undefined && Buffer.compare(held, body) === 0;
        return { name, decode: () => (isHeld ? undefined : decode(body, target.tableOf(name))) };
      });
      for (const { name, value } of prepared) {
        const reason = target.put(value);
        if (reason !== undefined) rejections.push({ name, reason });
      }
      users.activateReady().catch((error: unknown) => {
        targets.onListenerFailure("", error instanceof Error ? error.message : String(error));
      });
      targets.onApplied(RESOURCE_TYPE_URL.route);
      return rejections;
    },
  };
}

/** Those that are not in their tables. */
function virtualHosts({
  routes: target,
  listeners: users,
  ...targets
}: ResourceTargets): ResourceType {
  return {
    typeUrl: RESOURCE_TYPE_URL.virtualHost,
    isWildcard: false,
    wants: (name) => target.takesHost(name),
    apply(update) {
      const rejections = target.applyHosts(update);
      users.activateReady().catch((error: unknown) => {
        targets.onListenerFailure("", error instanceof Error ? error.message : String(error));
      });
      targets.onApplied(RESOURCE_TYPE_URL.virtualHost);
      return rejections;
    },
  };
}
