import { fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { createPrng } from "../src/base/prng.ts";
import type { PickContext } from "../src/proxy/balance/pick-context.ts";
import { Cluster } from "../src/proxy/cluster/cluster.ts";
import type { Assignment } from "../src/proxy/cluster/cluster-config.ts";
import { readAssignment } from "../src/proxy/decode/assignment-decoder.ts";
import { decodeCluster } from "../src/proxy/decode/cluster.ts";
import { BALANCE_CASES, type BalanceCase } from "./balance-cases.ts";
import type { Row } from "./report.ts";
import { spread } from "./statistics.ts";

const SIZES = [10, 1000, 10_000] as const;
/** Updates are measured with this many endpoints, of which one changes. */
const UPDATE_SIZE = 10_000;
/** Picks between two looks at the clock, and how many of these make a figure. */
const PICKS = 20_000;
const PICK_SAMPLES = 15;
/** What comes first is the compiler's. */
const WARM_UPS = 5;
const UPDATE_SAMPLES = 30;
/** Requests that differ in what balancers ask of them; a power of two. */
const REQUESTS = 1024;

/**
 * Measures the choice of a host and an update of one endpoint of many, each balancer for itself:
 * what a control plane sends is decoded as it would be in the proxy. Within this process, without
 * sockets.
 */
export function measureBalance(scenario: string): readonly Row[] {
  return BALANCE_CASES.map((one) => {
    const picks = SIZES.map(
      (size) => [`ns of ${size.toLocaleString("en")}`, pickNs(one, size)] as const,
    );
    return {
      kind: "balance",
      scenario,
      title: one.title,
      proxy: "weft",
      values: { ...Object.fromEntries(picks), ...updateMs(one) },
    };
  });
}

/** A pick in nanoseconds, among so many endpoints. */
function pickNs(one: BalanceCase, size: number): number {
  const cluster = createCluster(one);
  cluster.assign(decode(encodeAssignment(one, size, 0)));
  const requests = createRequests(one);
  const samples: number[] = [];
  for (let sample = -WARM_UPS; sample < PICK_SAMPLES; sample++) {
    const start = performance.now();
    for (let pick = 0; pick < PICKS; pick++) cluster.pick(requests[pick & (REQUESTS - 1)]);
    if (sample >= 0) samples.push(((performance.now() - start) * 1e6) / PICKS);
  }
  return spread(samples).median;
}

/** The stages of an update of one endpoint of many, from its bytes to the first choice after it. */
function updateMs(one: BalanceCase): Readonly<Record<string, number>> {
  const cluster = createCluster(one);
  const [request] = createRequests(one);
  const bodies = [1, 2].map((version) => encodeAssignment(one, UPDATE_SIZE, version));
  let last: Assignment | undefined;
  const stages = { decode: [] as number[], assign: [] as number[], pick: [] as number[] };
  const all: number[] = [];
  for (let sample = -WARM_UPS; sample < UPDATE_SAMPLES; sample++) {
    // A copy, as the next message of a stream lies elsewhere.
    const body = Uint8Array.from(bodies[sample & 1] ?? []);
    const start = performance.now();
    last = decode(body, last);
    const decoded = performance.now();
    cluster.assign(last);
    const assigned = performance.now();
    cluster.pick(request);
    const end = performance.now();
    if (sample < 0) continue;
    stages.decode.push(decoded - start);
    stages.assign.push(assigned - decoded);
    stages.pick.push(end - assigned);
    all.push(end - start);
  }
  return {
    "decode ms": spread(stages.decode).median,
    "assign ms": spread(stages.assign).median,
    "first pick ms": spread(stages.pick).median,
    "update ms": spread(all).median,
  };
}

function createCluster({ options }: BalanceCase): Cluster {
  const json = {
    name: "c",
    type: "EDS",
    eds_cluster_config: { eds_config: { ads: {}, resource_api_version: "V3" } },
    ...options,
  };
  const message = fromJson(ClusterSchema, json as JsonValue);
  const decoded = decodeCluster(message, toBinary(ClusterSchema, message));
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return new Cluster(decoded.value, true, createPrng(1));
}

/** The encoded assignment; the one in the middle is another in every version. */
function encodeAssignment(one: BalanceCase, size: number, version: number): Uint8Array {
  const { places = 1, place = () => ({}), endpoint = () => ({}) } = one;
  const endpoints = Array.from({ length: size }, (_, at) => {
    const address = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
    const port = at === size >> 1 ? 1000 + version : 80;
    return {
      endpoint: { address: { socket_address: { address, port_value: port } } },
      ...endpoint(at),
    };
  });
  const share = Math.ceil(size / places);
  const localities = Array.from({ length: places }, (_, at) => ({
    lb_endpoints: endpoints.slice(at * share, (at + 1) * share),
    ...place(at),
  }));
  const json = { cluster_name: "c", endpoints: localities };
  return toBinary(
    ClusterLoadAssignmentSchema,
    fromJson(ClusterLoadAssignmentSchema, json as JsonValue),
  );
}

function decode(body: Uint8Array, last?: Assignment): Assignment {
  const decoded = readAssignment(body).decode(last);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.value;
}

function createRequests({ criteria = () => [] }: BalanceCase): readonly PickContext[] {
  const prng = createPrng(2);
  const word = (): number => Math.floor(prng.next() * 2 ** 32);
  return Array.from({ length: REQUESTS }, (_, at) => {
    const hash = { high: word(), low: word() };
    return {
      subsetCriteria: criteria(at),
      originalDestination: undefined,
      requestHeader: () => undefined,
      hostDrawsMax: 0,
      rejectsHost: () => false,
      hash: () => hash,
    };
  });
}
