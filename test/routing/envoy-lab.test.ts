import { describe, expect, test } from "vitest";
import { buildMesh } from "../../src/model/mesh.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { snapshotJson } from "../../src/xds/resource-json.ts";
import { readCases } from "../golden/golden-case.ts";
import { findProgram } from "../programs.ts";
import { CALLS, CAPTURED } from "./captured-proxy.ts";
import { disagreements } from "./envoy-agrees.ts";

const envoy = findProgram("envoy");

/** The proxies of golden cases that have calls, with what they are sent. */
const PROXIES = readCases().flatMap(({ name, objects, proxies, calls }) =>
  proxies.flatMap((proxy) => {
    const own = calls[proxy.name] ?? [];
    if (own.length === 0) return [];
    const { snapshot } = buildSnapshot(buildProxyView(buildMesh(viewOf(objects)), proxy.node));
    return [{ name: `${name}: ${proxy.name}`, json: snapshotJson(snapshot), calls: own }];
  }),
);

describe.skipIf(envoy === undefined)("Envoy sends calls where we say", () => {
  test("of a proxy whose traffic is captured", async () => {
    const calls = CALLS.map(([, call]) => call);
    expect(await disagreements(envoy ?? "", CAPTURED, calls)).toEqual([]);
  });

  test.each(PROXIES)("$name", async ({ json, calls }) => {
    const own = calls.map(({ call }) => call);
    expect(await disagreements(envoy ?? "", json, own)).toEqual([]);
  });
});
