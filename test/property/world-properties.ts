import { createHash } from "node:crypto";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { formatIssue, type Issue, type Result } from "../../src/base/issue.ts";
import { decodeObject } from "../../src/config/decode.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh, type Mesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { checkRules } from "../../src/proxy/check-rules.ts";
import { decodeCluster } from "../../src/proxy/decode/cluster.ts";
import { decodeAssignment } from "../../src/proxy/decode/endpoint.ts";
import { decodeListener } from "../../src/proxy/decode/listener.ts";
import { decodeRouteTable } from "../../src/proxy/decode/route-table.ts";
import { createOriginalDst } from "../../src/proxy/listener-filter/original-dst.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsSnapshot } from "../../src/xds/snapshot.ts";
import { PROXIES } from "./random-world.ts";

/** What a proxy gets from a mesh. */
export function snapshotOf(mesh: Mesh, proxy: ProxyNode): XdsSnapshot {
  return buildSnapshot(buildProxyView(mesh, proxy)).snapshot;
}

/** The mesh of some objects, from nothing: copies, so that nothing is the same by identity. */
export function meshOf(objects: readonly KubeObject[]): Mesh {
  return buildMesh(viewOf(objects.map((one) => structuredClone(one))));
}

/** Everything that a mesh makes, bytes and words, in their order. */
export function fingerprint(mesh: Mesh): unknown {
  const proxies = PROXIES.map((proxy) => {
    const { snapshot, issues } = buildSnapshot(buildProxyView(mesh, proxy));
    const resources = RESOURCE_KINDS.flatMap((kind) =>
      [...snapshot.resources[kind].values()].map(({ name, body, references, origins }) => ({
        kind,
        name,
        bytes: createHash("sha256").update(body).digest("hex"),
        references,
        origins,
      })),
    );
    return { resources, issues };
  });
  return { proxies, issues: meshIssues(mesh) };
}

/** What weft's own proxy has against a snapshot, a line for each resource. */
export function refusalsOfWeft({ resources }: XdsSnapshot): readonly string[] {
  const refusals: string[] = [];
  const check = <Desc extends DescMessage>(
    kind: ResourceKind,
    schema: Desc,
    decode: (message: MessageShape<Desc>, body: Uint8Array) => readonly Issue[],
  ): void => {
    for (const { name, body } of resources[kind].values()) {
      const message = fromBinary(schema, body);
      const found = [...decode(message, body), ...checkRules(schema, message, "")];
      const issues = found.filter((issue) => !isOfThisMachine(issue));
      refusals.push(...issues.map((issue) => `${kind} ${name}: ${formatIssue(issue)}`));
    }
  };
  check("cluster", ClusterSchema, (message, body) => issuesOf(decodeCluster(message, body)));
  check("endpoint", ClusterLoadAssignmentSchema, (message) => {
    const issues: Issue[] = [];
    decodeAssignment(message, "", true, issues);
    return issues;
  });
  check("listener", ListenerSchema, (message, body) => issuesOf(decodeListener(message, body)));
  check("route", RouteConfigurationSchema, (message) => issuesOf(decodeRouteTable(message)));
  return refusals;
}

/** Some of what the system can do takes a library that is not on every machine. */
function isOfThisMachine({ message }: Issue): boolean {
  return createOriginalDst() === undefined && message.includes("koffi");
}

function issuesOf(decoded: Result<unknown>): readonly Issue[] {
  return decoded.ok ? [] : decoded.issues;
}

/** How often a world that fails is made smaller at most. */
const REDUCTIONS_MAX = 1500;

/**
 * Holds a property of one world. A failure is told with the smallest world that still fails:
 * objects and their fields are taken out one by one, as long as what is left is valid.
 */
export function holdProperty(
  objects: readonly KubeObject[],
  property: (objects: readonly KubeObject[]) => void,
): void {
  const failure = failureOf(objects, property);
  if (failure === undefined) return;
  const smallest = reduce(objects, (some) => failureOf(some, property) !== undefined);
  const message = failureOf(smallest, property) ?? failure;
  throw new Error(
    `${message}\n\nof these objects:\n${smallest.map((one) => stringify(one)).join("---\n")}`,
  );
}

function failureOf(
  objects: readonly KubeObject[],
  property: (objects: readonly KubeObject[]) => void,
): string | undefined {
  try {
    property(objects);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    const { expected, actual } = error as { expected?: string; actual?: string };
    const difference = actual === undefined ? "" : `\nexpected ${expected}\nactual ${actual}`;
    return `${error.stack ?? error.message}${difference}`;
  }
}

function reduce(
  objects: readonly KubeObject[],
  fails: (objects: readonly KubeObject[]) => boolean,
): readonly KubeObject[] {
  let smallest = objects;
  let left = REDUCTIONS_MAX;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of smallerWorlds(smallest)) {
      if (left-- <= 0) return smallest;
      if (!fails(candidate)) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Worlds with one object, or one part of an object, less. */
function* smallerWorlds(objects: readonly KubeObject[]): Generator<readonly KubeObject[]> {
  for (const at of objects.keys()) yield objects.toSpliced(at, 1);
  for (const [at, object] of objects.entries()) {
    const { apiVersion, kind, metadata, ...rest } = object;
    for (const part of smallerValues(rest)) {
      const decoded = decodeObject({ apiVersion, kind, metadata, ...(part as object) });
      if (decoded.ok) yield objects.toSpliced(at, 1, decoded.value);
    }
  }
}

/** A value with one of the things inside it taken out. */
function* smallerValues(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const at of value.keys()) yield value.toSpliced(at, 1);
    for (const [at, item] of value.entries()) {
      for (const smaller of smallerValues(item)) yield value.toSpliced(at, 1, smaller);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const name of Object.keys(value)) {
      const { [name as never]: _gone, ...rest } = value;
      yield rest;
    }
    for (const [name, item] of Object.entries(value)) {
      for (const smaller of smallerValues(item)) yield { ...value, [name]: smaller };
    }
  }
}
