import { describe, expect, test } from "vitest";
import { buildMesh } from "../../src/model/mesh.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { snapshotJson } from "../../src/xds/resource-json.ts";
import { findProgram } from "../programs.ts";
import { refusalOfEnvoy } from "../routing/validate-with-envoy.ts";
import { readCases } from "./golden-case.ts";

const envoy = findProgram("envoy");

describe.skipIf(envoy === undefined)("envoy --mode validate", () => {
  const pairs = readCases().flatMap((one) =>
    one.proxies.map(({ name, node }) => [one.name, name, one.objects, node] as const),
  );

  test.each(pairs)("accepts what %s makes for %s", (_, __, objects, node) => {
    const { snapshot } = buildSnapshot(buildProxyView(buildMesh(viewOf(objects)), node));
    expect(refusalOfEnvoy(envoy ?? "", snapshotJson(snapshot))).toBeUndefined();
  });
});
