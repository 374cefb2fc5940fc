import { create, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { VirtualHostSchema } from "../../src/api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { formatIssue, type Issue, type Result } from "../../src/base/issue.ts";
import { buildCalledView } from "../../src/model/called-view.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { decodeCluster } from "../../src/proxy/decode/cluster.ts";
import { decodeAssignment } from "../../src/proxy/decode/endpoint.ts";
import { decodeListener } from "../../src/proxy/decode/listener.ts";
import { decodeRouteTable } from "../../src/proxy/decode/route-table.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import type { ResourceKind, XdsSnapshot } from "../../src/xds/snapshot.ts";
import { readCases } from "./golden-case.ts";

/** What weft's proxy has against one resource. */
const REFUSALS: Readonly<Record<ResourceKind, (body: Uint8Array) => readonly Issue[]>> = {
  cluster: reading(ClusterSchema, decodeCluster),
  endpoint: reading(ClusterLoadAssignmentSchema, (message) => {
    const issues: Issue[] = [];
    decodeAssignment(message, "", true, issues);
    return { ok: false, issues };
  }),
  listener: reading(ListenerSchema, decodeListener),
  route: reading(RouteConfigurationSchema, decodeRouteTable),
  virtualHost: reading(VirtualHostSchema, (host) =>
    decodeRouteTable(create(RouteConfigurationSchema, { name: "r", virtualHosts: [host] })),
  ),
};

function reading<Desc extends DescMessage>(
  schema: Desc,
  decode: (message: MessageShape<Desc>, body: Uint8Array) => Result<unknown>,
): (body: Uint8Array) => readonly Issue[] {
  return (body) => {
    const decoded = decode(fromBinary(schema, body), body);
    return decoded.ok ? [] : decoded.issues;
  };
}

/** What it says of what it cannot do, which the status of the objects has to say too. */
const UNBUILT: readonly RegExp[] = [
  /: HTTP\/2 to upstreams$/,
  // Where traffic is captured, and for probes at another pace than Node's.
  /with koffi installed/,
  // Of the machine that the proxy runs on.
  /Invalid path: /,
];

/** And of what only Envoys are sent. */
const FOR_ENVOY: readonly RegExp[] = [
  /common_config\.(?:filter_state_objects_to_log|grpc_service\.envoy_grpc\.authority): is not/,
];

function refusals({ resources }: XdsSnapshot, others: readonly RegExp[]): readonly string[] {
  const known = [...UNBUILT, ...others];
  return (Object.keys(REFUSALS) as ResourceKind[]).flatMap((kind) =>
    [...resources[kind].values()].flatMap(({ name, body }) =>
      REFUSALS[kind](body)
        .map((issue) => `${kind} ${name}: ${formatIssue(issue)}`)
        .filter((line) => !known.some((one) => one.test(line))),
    ),
  );
}

describe("weft's proxy", () => {
  const pairs = readCases().flatMap((one) =>
    one.proxies.map(({ name, node }) => [one.name, name, one.objects, node] as const),
  );

  test.each(pairs)("accepts what it can do of what %s makes for %s", (_, __, objects, node) => {
    const { snapshot } = buildSnapshot(buildCalledView(buildMesh(viewOf(objects)), node));
    expect(refusals(snapshot, node.isWeft ? [] : FOR_ENVOY)).toEqual([]);
  });
});
