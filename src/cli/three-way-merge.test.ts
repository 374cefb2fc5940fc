import { expect, test } from "vitest";
import type { Schema } from "../config/schema.ts";
import { mergeApplied } from "./three-way-merge.ts";

const PORTS: Schema = {
  type: "object",
  properties: {
    ports: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["port", "protocol"],
      items: {
        type: "object",
        properties: { port: { type: "integer" }, protocol: { type: "string", default: "TCP" } },
      },
    },
    hosts: { type: "array", items: { type: "string" } },
  },
};

test.each([
  ["sets what is new", { applied: {}, wanted: { a: 1 }, live: { b: 2 } }, { a: 1, b: 2 }],
  [
    "removes what was applied before",
    { applied: { a: 1 }, wanted: {}, live: { a: 1, b: 2 } },
    { b: 2 },
  ],
  ["keeps what others set", { applied: undefined, wanted: {}, live: { b: 2 } }, { b: 2 }],
  ["removes what is null", { applied: {}, wanted: { b: null }, live: { b: 2 } }, {}],
  [
    "goes into objects",
    { applied: { x: { a: 1 } }, wanted: { x: { c: 3 } }, live: { x: { a: 1, b: 2 } } },
    { x: { b: 2, c: 3 } },
  ],
  [
    "replaces lists without keys",
    { applied: {}, wanted: { hosts: ["a"] }, live: { hosts: ["b", "c"] } },
    { hosts: ["a"] },
  ],
  [
    "merges lists by their keys, defaults counted",
    {
      applied: { ports: [{ port: 1 }, { port: 2 }] },
      wanted: { ports: [{ port: 1, name: "http" }] },
      live: {
        ports: [
          { port: 1, protocol: "TCP", nodePort: 30_000 },
          { port: 2, protocol: "TCP" },
          { port: 3, protocol: "TCP" },
        ],
      },
    },
    {
      ports: [
        { port: 1, name: "http", protocol: "TCP", nodePort: 30_000 },
        { port: 3, protocol: "TCP" },
      ],
    },
  ],
])("`mergeApplied()` %s", (_, sides, expected) => {
  expect(mergeApplied(PORTS, sides)).toEqual(expected);
});
