import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isError } from "../../src/base/issue.ts";
import type { ConfigMap } from "../../src/config/config-map.ts";
import {
  meshConfigSchema,
  parseMeshConfig,
  parseMeshNetworks,
} from "../../src/config/mesh-config.ts";
import { meshNetworksSchema } from "../../src/config/mesh-networks.ts";
import { readMeshConfig, resolveMeshConfig } from "../../src/model/mesh-config.ts";
import { DEFAULT_SETTINGS } from "../../src/model/mesh-settings.ts";
import { arbitraryOf } from "./arbitrary-object.ts";

const seed = Number(process.env["SEED"] ?? 1);
const numRuns = Number(process.env["TABLES"] ?? 150);

function configMap(mesh: string, meshNetworks = ""): ConfigMap {
  const metadata = { name: "istio", namespace: "istio-system" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { mesh, meshNetworks } };
}

describe("any MeshConfig", () => {
  it("is resolved to whole settings, or refused with a path", () => {
    let taken = 0;
    fc.assert(
      fc.property(arbitraryOf(meshConfigSchema), (raw) => {
        const result = parseMeshConfig(JSON.stringify(raw) ?? "");
        const issues = result.ok ? (result.warnings ?? []) : result.issues;
        expect(issues.some(isError)).toBe(!result.ok);
        if (result.ok) taken += 1;
        const settings = resolveMeshConfig(result.ok ? result.value : undefined);
        expect(Object.keys(settings).sort()).toEqual(Object.keys(DEFAULT_SETTINGS).sort());
        expect(JSON.stringify(settings)).not.toContain("null");
      }),
      { seed, numRuns },
    );
    expect(taken).toBeGreaterThan(0);
  });

  it("that is any text is read without a throw, and leaves settings in force", () => {
    const networks = arbitraryOf(meshNetworksSchema).map((raw) => JSON.stringify(raw) ?? "");
    fc.assert(
      fc.property(fc.oneof(fc.string(), networks), fc.string(), (text, other) => {
        parseMeshNetworks(text);
        const { settings } = readMeshConfig(configMap(text, other));
        expect(settings.connectTimeoutMs).toBeGreaterThan(0);
      }),
      { seed, numRuns },
    );
  });
});
