import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { decodeDeltaRequest, decodeSotwRequest } from "./discovery-request.ts";
import { NameSets } from "./name-sets.ts";

const typeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LONG = "ü".repeat(300);

/** Fields that nobody knows, one of each wire type: 500 as varint, 8 bytes, bytes, a group, 4 bytes. */
const UNKNOWN = Buffer.from(
  "a01fffffffffffffffffff01 a11f0102030405060708 a21f03616263 a31f080aa41f a51f01020304".replaceAll(
    " ",
    "",
  ),
  "hex",
);

function sotw(bytes: Uint8Array): unknown {
  const read = decodeSotwRequest(bytes, new NameSets());
  if (!read.ok) return read.issues[0]?.message;
  const { names, node, ...rest } = read.value;
  return { ...rest, names: [...names.names], node: node() };
}

function delta(bytes: Uint8Array): unknown {
  const read = decodeDeltaRequest(bytes, new NameSets());
  if (!read.ok) return read.issues[0]?.message;
  const { subscribe, node, ...rest } = read.value;
  return { ...rest, subscribe: [...subscribe.names], node: node() };
}

describe("decodeSotwRequest()", () => {
  const bytes = toBinary(
    DiscoveryRequestSchema,
    create(DiscoveryRequestSchema, {
      typeUrl,
      versionInfo: "1",
      responseNonce: "7",
      resourceNames: ["a", "b", LONG],
      node: { id: "me" },
      errorDetail: { code: 13, message: "no" },
    }),
  );
  const said = {
    typeUrl,
    versionInfo: "1",
    nonce: "7",
    error: "no",
    hasLocators: false,
    names: ["a", "b", LONG],
    node: { ok: true, value: expect.objectContaining({ id: "me" }) },
  };

  test("reads what the library writes", () => {
    expect(sotw(bytes)).toEqual(said);
  });

  test("passes over fields that it does not know, also between names", () => {
    const more = Buffer.from("1a0163", "hex");
    expect(sotw(Buffer.concat([UNKNOWN, bytes, UNKNOWN]))).toEqual(said);
    expect(sotw(Buffer.concat([bytes, UNKNOWN, more]))).toEqual({
      ...said,
      names: ["a", "b", "c", LONG],
    });
  });

  test("refuses bytes that break off anywhere but between fields", () => {
    const ends = new Set<number>([0]);
    for (let end = 1; end < bytes.length; end++) {
      if (typeof sotw(bytes.subarray(0, end)) !== "string") ends.add(end);
    }
    // Four texts, three names, a node and a status, one of which stands at the end.
    expect(ends.size).toBe(8);
  });

  test.each([
    ["0a", "it ends within a field"],
    ["0affffffff7f", "it ends within a field"],
    ["0affffffffff7f", "a number that is too large"],
    ["0000", "a field without a number"],
  ])("refuses %s", (hex, why) => {
    expect(sotw(Buffer.from(hex, "hex"))).toBe(`not a DiscoveryRequest: ${why}`);
  });
});

test("decodeSotwRequest() knows a long list again, and what is more, less or in another place", () => {
  const sets = new NameSets();
  const long = Array.from({ length: 500 }, (_, at) => `cluster-${String(at).padStart(3, "0")}`);
  const read = (resourceNames: string[], more = ""): ReadonlySet<string> => {
    const request = create(DiscoveryRequestSchema, { typeUrl, resourceNames, versionInfo: "1" });
    const bytes = Buffer.concat([
      toBinary(DiscoveryRequestSchema, request),
      Buffer.from(more, "hex"),
    ]);
    const got = decodeSotwRequest(bytes, sets);
    if (!got.ok) throw new Error(got.issues[0]?.message);
    expect([...got.value.names.names]).toEqual([
      ...new NameSets().of([...got.value.names.names]).names,
    ]);
    expect(got.value).toMatchObject({ typeUrl, versionInfo: "1" });
    return got.value.names.names;
  };
  const first = read(long);
  expect(first.size).toBe(500);
  expect(read(long)).toBe(first);
  expect(read([...long, "more"])).toEqual(new Set([...long, "more"]));
  expect(read(long)).toEqual(new Set(long));
  expect(read(long.slice(1))).toEqual(new Set(long.slice(1)));
  expect(read(["before", ...long]).size).toBe(501);
  expect(read(long)).toEqual(new Set(long));
  // A name behind another field.
  expect(read(long, "1a016e")).toEqual(new Set([...long, "n"]));
  expect(read(["a"])).toEqual(new Set(["a"]));
});

test("decodeDeltaRequest() reads what the library writes", () => {
  const bytes = toBinary(
    DeltaDiscoveryRequestSchema,
    create(DeltaDiscoveryRequestSchema, {
      typeUrl,
      responseNonce: "7",
      resourceNamesSubscribe: ["b", "a"],
      resourceNamesUnsubscribe: ["c"],
      initialResourceVersions: { d: "1", [LONG]: "2" },
      node: { id: "me" },
    }),
  );
  expect(delta(Buffer.concat([UNKNOWN, bytes]))).toEqual({
    typeUrl,
    nonce: "7",
    hasLocators: false,
    subscribe: ["a", "b"],
    unsubscribe: ["c"],
    initialVersions: new Map([
      ["d", "1"],
      [LONG, "2"],
    ]),
    node: { ok: true, value: expect.objectContaining({ id: "me" }) },
  });
});
