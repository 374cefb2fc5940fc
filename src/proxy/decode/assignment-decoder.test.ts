import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type LbEndpoint,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { Issue } from "../../base/issue.ts";
import type { Assignment } from "../cluster/cluster-config.ts";
import { readAssignment } from "./assignment-decoder.ts";
import { decodeAssignment } from "./endpoint.ts";

/** An endpoint of a test: the last byte of its address, and its weight. */
type Simple = readonly [address: number, weight: number];

function lbEndpoint([address, weight]: Simple): LbEndpoint {
  return create(LbEndpointSchema, {
    loadBalancingWeight: weight,
    hostIdentifier: {
      case: "endpoint",
      value: {
        address: {
          address: {
            case: "socketAddress",
            value: {
              address: `10.0.0.${address}`,
              portSpecifier: { case: "portValue", value: 80 },
            },
          },
        },
      },
    },
  });
}

/** Localities of a test: each with a weight and its endpoints. */
type Simples = readonly (readonly [weight: number, endpoints: readonly Simple[]])[];

function message(localities: Simples): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName: "a",
    endpoints: localities.map(([weight, endpoints], at) =>
      create(LocalityLbEndpointsSchema, {
        locality: { zone: `z${at}` },
        loadBalancingWeight: weight,
        priority: at,
        lbEndpoints: endpoints.map(lbEndpoint),
      }),
    ),
    policy: { overprovisioningFactor: 150 },
  });
}

function encode(localities: Simples): Uint8Array {
  return toBinary(ClusterLoadAssignmentSchema, message(localities));
}

function decode(body: Uint8Array, previous?: Assignment): Assignment {
  const decoded = readAssignment(body).decode(previous);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.value;
}

/** What the whole message comes down to, decoded at once. */
function whole(localities: Simples): Assignment {
  const issues: Issue[] = [];
  const assignment = decodeAssignment(message(localities), "", true, issues);
  expect(issues).toEqual([]);
  return assignment;
}

const simple = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 300 }));
const simples = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.array(simple, { maxLength: 12 })),
  { maxLength: 4 },
);

describe("an encoded assignment", () => {
  test("is what it says, whatever came before it", () => {
    fc.assert(
      fc.property(fc.array(simples, { minLength: 1, maxLength: 6 }), (updates) => {
        let last: Assignment | undefined;
        for (const update of updates) {
          last = decode(encode(update), last);
          expect(last).toEqual(whole(update));
        }
      }),
      { numRuns: 500 },
    );
  });

  test("keeps the identity of what did not change", () => {
    const all = Array.from({ length: 100 }, (_, at): Simple => [at, 1]);
    const first = decode(encode([[1, all]]));
    const changed = decode(encode([[1, all.with(50, [50, 300])]]), first);
    const kept = changed.endpoints.filter((endpoint, at) => endpoint === first.endpoints[at]);
    expect(kept).toHaveLength(99);
    const grown = decode(encode([[1, [[200, 1], ...all, [201, 1]]]]), first);
    expect(grown.endpoints.slice(1, 101).every((one, at) => one === first.endpoints[at])).toBe(
      true,
    );
    const reversed = decode(encode([[1, all.toReversed()]]), first);
    expect(new Set(reversed.endpoints)).toEqual(new Set(first.endpoints));
    const fewer = decode(encode([[1, all.slice(3, 90)]]), first);
    expect(fewer.endpoints.every((one, at) => one === first.endpoints[at + 3])).toBe(true);
  });

  test("may come in another order of its fields, and in parts", () => {
    const parts = [
      toBinary(
        ClusterLoadAssignmentSchema,
        create(ClusterLoadAssignmentSchema, { policy: { overprovisioningFactor: 150 } }),
      ),
      encode([[1, [[1, 1]]]]),
      toBinary(
        ClusterLoadAssignmentSchema,
        create(ClusterLoadAssignmentSchema, { clusterName: "b" }),
      ),
      toBinary(
        ClusterLoadAssignmentSchema,
        create(ClusterLoadAssignmentSchema, { endpoints: message([[1, [[2, 1]]]]).endpoints }),
      ),
    ];
    const body = Buffer.concat(parts);
    expect(readAssignment(body).name).toBe("b");
    const first = decode(body);
    const addresses = (): readonly string[] => first.endpoints.map(({ address }) => address);
    expect(addresses()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(decode(body, first).endpoints).toEqual(first.endpoints);
  });

  test("is refused where an endpoint is wrong, by its place", () => {
    const first = decode(
      encode([
        [
          1,
          [
            [1, 1],
            [2, 1],
            [3, 1],
          ],
        ],
      ]),
    );
    const body = encode([
      [
        1,
        [
          [1, 1],
          [2, 0],
          [3, 1],
        ],
      ],
    ]);
    expect(readAssignment(body).decode(first)).toEqual({
      ok: false,
      issues: [
        {
          path: "endpoints[0].lb_endpoints[1].load_balancing_weight",
          message: "must be at least 1",
        },
      ],
    });
  });

  test("throws where it is cut off or is no message", () => {
    const body = encode([[1, [[1, 1]]]]);
    const reads = (read: () => unknown): boolean => {
      try {
        read();
        return true;
      } catch {
        return false;
      }
    };
    const first = decode(body);
    for (let length = 1; length < body.length; length++) {
      const cut = body.subarray(0, length);
      const isMessage = reads(() => fromBinary(ClusterLoadAssignmentSchema, cut));
      expect([length, reads(() => decode(cut, first))]).toEqual([length, isMessage]);
    }
    expect(reads(() => readAssignment(Buffer.from("nonsense")))).toBe(false);
  });
});
