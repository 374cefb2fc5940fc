import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { formatIssue, type Issue, type Result } from "../base/issue.ts";
import type { Rejection, ResourceType } from "../xdsclient/resource-type.ts";
import { checkRules } from "./check-rules.ts";
import type { ClusterConfig } from "./cluster/cluster-config.ts";
import type { ClusterSet } from "./cluster/cluster-set.ts";
import { readAssignment } from "./decode/assignment-decoder.ts";
import { decodeCluster } from "./decode/cluster.ts";
import { decodeListener } from "./decode/listener.ts";
import { decodeRouteTable } from "./decode/route-table.ts";
import type { ListenerSet } from "./listener/listener-set.ts";
import type { RouteSet } from "./route-set.ts";
import { type AskedSecret, clusterSecretRefs, listenerSecretRefs } from "./secret/secret-refs.ts";
import type { SecretStore } from "./secret/secret-store.ts";
import { secretType } from "./secret/secret-streams.ts";

/** Where the resources of a control plane go. */
export interface ResourceTargets {
  readonly clusters: ClusterSet;
  readonly routes: RouteSet;
  readonly listeners: ListenerSet;
  readonly secrets: SecretStore;
  /** What asks for a secret where there is none. */
  readonly checkSecrets: (asked: readonly AskedSecret[]) => readonly Issue[];
  /** Told after every response, when names to ask for may have changed. */
  readonly onApplied: (typeUrl: string) => void;
  /** A listener that was taken could not start after all. */
  readonly onListenerFailure: (name: string, cause: string) => void;
}

/** A resource, decoded; nothing has been changed yet. */
interface Prepared<T> {
  readonly name: string;
  readonly value: T;
}

/** A body whose name is known, and what it is when somebody asks. */
interface Named<T> {
  readonly name: string;
  decode(): Result<T>;
}

/**
 * Decodes every body; what is wrong is said by name, and the rest goes on (prepare, then apply).
 * `read` throws for a body that is no message.
 */
function prepareBodies<T>(
  { typeName }: DescMessage,
  bodies: readonly Uint8Array[],
  read: (body: Uint8Array) => Named<T>,
): { prepared: Prepared<T>[]; rejections: Rejection[] } {
  const prepared: Prepared<T>[] = [];
  const rejections: Rejection[] = [];
  const names = new Set<string>();
  for (const body of bodies) {
    let name = "";
    let decoded: Result<T>;
    try {
      const named = read(body);
      name = named.name;
      if (names.has(name)) {
        rejections.push({ name, reason: `duplicate resource ${name} found` });
        continue;
      }
      names.add(name);
      decoded = named.decode();
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      rejections.push({ name, reason: `cannot decode ${typeName}: ${cause}` });
      continue;
    }
    if (decoded.ok) prepared.push({ name, value: decoded.value });
    else rejections.push({ name, reason: decoded.issues.map(formatIssue).join(", ") });
  }
  return { prepared, rejections };
}

/** The same for resources that are decoded as a whole. */
function prepareAll<Desc extends DescMessage, T>(
  schema: Desc,
  bodies: readonly Uint8Array[],
  decode: (message: MessageShape<Desc>, body: Uint8Array) => Result<T>,
  nameOf: (message: MessageShape<Desc>) => string,
): { prepared: Prepared<T>[]; rejections: Rejection[] } {
  return prepareBodies(schema, bodies, (body) => {
    const message = fromBinary(schema, body);
    return {
      name: nameOf(message),
      decode: () => keepRules(decode(message, body), schema, message),
    };
  });
}

/** What was decoded, unless it breaks a rule of its .proto file. */
function keepRules<T>(decoded: Result<T>, schema: DescMessage, message: Message): Result<T> {
  if (!decoded.ok) return decoded;
  const issues = checkRules(schema, message, "");
  return issues.length > 0 ? { ok: false, issues } : decoded;
}

/**
 * Removes what a response that says everything no longer names. One that holds bytes which nobody
 * can read removes nothing: they may have been any of the held ones.
 */
function removeUnnamed(
  held: Set<string>,
  named: ReadonlySet<string>,
  remove: (name: string) => void,
): void {
  if (named.has("")) return;
  for (const name of held) {
    if (named.has(name)) continue;
    held.delete(name);
    remove(name);
  }
}

/** The types that a proxy asks for, in Envoy's order: what is named comes before what names it. */
export function createResourceTypes(targets: ResourceTargets): readonly ResourceType[] {
  return [
    clusters(targets),
    endpoints(targets),
    listeners(targets),
    routes(targets),
    secretType(targets.secrets, ""),
  ];
}

function clusters({ clusters: target, onApplied, checkSecrets }: ResourceTargets): ResourceType {
  /** Every cluster that came this way and is held, in its last good form. */
  const held = new Set<string>();
  return {
    typeUrl: RESOURCE_TYPE_URL.cluster,
    isWildcard: true,
    apply(bodies) {
      const { prepared, rejections } = prepareAll(
        ClusterSchema,
        bodies,
        (message, body) => {
          const decoded = refuseHttp2(decodeCluster(message, body));
          const issues = decoded.ok ? checkSecrets(clusterSecretRefs(decoded.value)) : [];
          return issues.length > 0 ? { ok: false, issues } : decoded;
        },
        ({ name }) => name,
      );
      const named = new Set([...prepared, ...rejections].map(({ name }) => name));
      removeUnnamed(held, named, (name) => target.remove(name));
      for (const { name, value } of prepared) {
        if (!held.has(name) && target.find(name)?.isDynamic === false) {
          const reason = `cluster ${name} is static and cannot be changed`;
          rejections.push({ name, reason });
          continue;
        }
        held.add(name);
        target.put(value, true);
      }
      onApplied(RESOURCE_TYPE_URL.cluster);
      return rejections;
    },
  };
}

/** gRPC to a control plane is one thing, proxying HTTP/2 another. */
function refuseHttp2(decoded: Result<ClusterConfig>): Result<ClusterConfig> {
  if (!decoded.ok || !decoded.value.isHttp2) return decoded;
  const path = "typed_extension_protocol_options";
  return { ok: false, issues: [{ path, message: "HTTP/2 to upstreams is not supported yet" }] };
}

function endpoints({ clusters: target, onApplied }: ResourceTargets): ResourceType {
  return {
    typeUrl: RESOURCE_TYPE_URL.endpoint,
    isWildcard: false,
    apply(bodies) {
      const { prepared, rejections } = prepareBodies(
        ClusterLoadAssignmentSchema,
        bodies,
        (body) => {
          const encoded = readAssignment(body);
          const { name } = encoded;
          return { name, decode: () => encoded.decode(target.assignmentOf(name)) };
        },
      );
      for (const { value } of prepared) target.assign(value);
      for (const { name } of rejections) target.refuse(name);
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
    async apply(bodies) {
      const { prepared, rejections } = prepareAll(
        ListenerSchema,
        bodies,
        (message, body) => {
          const decoded = decodeListener(message, body);
          const issues = decoded.ok ? checkSecrets(listenerSecretRefs(decoded.value)) : [];
          return issues.length > 0 ? { ok: false, issues } : decoded;
        },
        ({ name }) => name,
      );
      const named = new Set([...prepared, ...rejections].map(({ name }) => name));
      removeUnnamed(held, named, (name) => void target.remove(name));
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

function routes({ routes: target, listeners: users, ...targets }: ResourceTargets): ResourceType {
  return {
    typeUrl: RESOURCE_TYPE_URL.route,
    isWildcard: false,
    apply(bodies) {
      const { prepared, rejections } = prepareAll(
        RouteConfigurationSchema,
        bodies,
        (message, body) => {
          const decoded = decodeRouteTable(message);
          if (!decoded.ok) return decoded;
          return { ok: true, value: { config: decoded.value, body } };
        },
        ({ name }) => name,
      );
      for (const { value } of prepared) {
        const { config, body } = value;
        if (!target.has(config.name, body)) target.put(config, body);
      }
      users.activateReady().catch((error: unknown) => {
        targets.onListenerFailure("", error instanceof Error ? error.message : String(error));
      });
      targets.onApplied(RESOURCE_TYPE_URL.route);
      return rejections;
    },
  };
}
