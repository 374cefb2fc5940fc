import { expect, test } from "vitest";
import { CALLS, CAPTURED, HTTP } from "./captured-proxy.ts";
import { readResources } from "./proxy-resources.ts";
import { simulate } from "./simulate.ts";

const resources = readResources(CAPTURED);

test.each(CALLS)("`simulate()` follows %s", (_, call, want) => {
  const { clusters, ...result } = simulate(resources, call);
  expect(want.clusters === undefined ? result : { ...result, clusters }).toEqual(want);
});

test("`simulate()` says when no listener is there", () => {
  const none = { ...resources, listeners: resources.listeners.slice(0, 2) };
  expect(simulate(none, { port: 4242 })).toEqual({ error: "no listener matched" });
});

test("`simulate()` refuses filter chains that the data plane would refuse", () => {
  const [first] = resources.listeners;
  if (first === undefined) throw new Error("no listener");
  const twice = { ...first, filterChains: [...first.filterChains, ...first.filterChains] };
  expect(() => simulate({ ...resources, listeners: [twice] }, HTTP)).toThrow(
    'listener "0.0.0.0_80": http: asks for the same as another filter chain',
  );
});
