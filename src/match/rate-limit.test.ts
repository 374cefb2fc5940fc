import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { RateLimitSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RateLimitUnit } from "../api/gen/envoy/type/v3/ratelimit_unit_pb.js";
import type { Issue } from "../base/issue.ts";
import { decodeFilterRateLimits, decodeRateLimits } from "./decode-rate-limit.ts";
import type { MetadataValue } from "./match-request.ts";
import { describeRequest, type RateLimitDescriptor, type RateLimitSource } from "./rate-limit.ts";
import type { StreamInfo } from "./stream-info.ts";

type Rule = MessageInitShape<typeof RateLimitSchema>;
type Action = NonNullable<Rule["actions"]>[number];

const KEY: Action = { actionSpecifier: { case: "genericKey", value: { descriptorValue: "x" } } };

/** A request of that client, with this dynamic metadata under "test". */
function source(address: string, noted: MetadataValue = {}): RateLimitSource {
  const info = { remote: { address, port: 1 }, path: "/" } as unknown as StreamInfo;
  return {
    info,
    localCluster: "here",
    targetCluster: undefined,
    header: () => undefined,
    metadata: (kind, namespace) => (kind === "dynamic" && namespace === "test" ? noted : undefined),
  };
}

function describeOne(rule: Rule, from: RateLimitSource): RateLimitDescriptor | undefined {
  const issues: Issue[] = [];
  const [decoded] = decodeRateLimits([create(RateLimitSchema, rule)], "rate_limits", issues);
  expect(issues).toEqual([]);
  return decoded && describeRequest(decoded, from);
}

describe("descriptors", () => {
  const masks: readonly [string, string][] = [
    ["192.168.3.4", "192.168.0.0/18"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    ["2001:0:0:1::", "2001::/48"],
    ["::1", "::/48"],
    ["fe80:1:1:1:1:1:1:1", "fe80:1:1::/48"],
  ];

  test.each(masks)("mask %s", (address, value) => {
    const masked = { v4PrefixMaskLen: 18, v6PrefixMaskLen: 48 };
    const action: Action = { actionSpecifier: { case: "maskedRemoteAddress", value: masked } };
    const entries = [{ key: "masked_remote_address", value }];
    expect(describeOne({ actions: [action] }, source(address))?.entries).toEqual(entries);
  });

  test("have no address where the client has none", () => {
    for (const kind of ["remoteAddress", "maskedRemoteAddress"] as const) {
      const action: Action = { actionSpecifier: { case: kind, value: {} } };
      expect(describeOne({ actions: [action] }, source(""))).toBeUndefined();
    }
  });

  test("have no cluster where the route sends nothing", () => {
    const action: Action = { actionSpecifier: { case: "destinationCluster", value: {} } };
    expect(describeOne({ actions: [action] }, source("1.2.3.4"))).toBeUndefined();
  });

  const path = [{ segment: { case: "key", value: "limit" } as const }];
  const fromMetadata: Rule = {
    actions: [KEY],
    limit: {
      overrideSpecifier: {
        case: "dynamicMetadata",
        value: { metadataKey: { key: "test", path } },
      },
    },
  };
  const limits: readonly [MetadataValue, object | undefined][] = [
    [
      { requests_per_unit: 42.5, unit: "HOUR" },
      { requestsPerUnit: 42, unit: "HOUR" },
    ],
    [{ requests_per_unit: "42", unit: "HOUR" }, undefined],
    [{ requests_per_unit: 42, unit: "FORTNIGHT" }, undefined],
    [{ requests_per_unit: 42, unit: "3" }, undefined],
    [{ unit: "HOUR" }, undefined],
    ["42", undefined],
  ];

  test.each(limits)("take a limit from metadata: %j", (limit, expected) => {
    const descriptor = describeOne(fromMetadata, source("1.2.3.4", { limit }));
    expect(descriptor?.limit).toEqual(expected);
    expect(descriptor?.entries).toEqual([{ key: "generic_key", value: "x" }]);
  });

  test("have a limit that the configuration says", () => {
    const limit = { requestsPerUnit: 5, unit: RateLimitUnit.DAY };
    const rule: Rule = {
      actions: [KEY],
      limit: { overrideSpecifier: { case: "rateLimit", value: limit } },
    };
    const expected = { requestsPerUnit: 5, unit: "DAY" };
    expect(describeOne(rule, source("1.2.3.4"))?.limit).toEqual(expected);
  });
});

describe("an extension as an action", () => {
  test("is refused by name", () => {
    const issues: Issue[] = [];
    const action: Action = { actionSpecifier: { case: "extension", value: { name: "input" } } };
    const rule = create(RateLimitSchema, { actions: [action] });
    decodeRateLimits([rule], "rate_limits", issues);
    decodeFilterRateLimits([rule], "rules", issues);
    expect(issues).toEqual([
      { path: "rate_limits[0].actions[0].extension", message: "is not supported yet" },
      { path: "rules[0].actions[0].extension", message: "is not supported yet" },
    ]);
  });
});
