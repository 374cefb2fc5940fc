import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findEnvoy } from "../../src/local/find-envoy.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weft-envoy-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function program(...path: readonly string[]): string {
  const file = join(root, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
  return file;
}

it("`findEnvoy()` finds what `npm run envoy` installs, not the wheel's script", () => {
  expect(() => findEnvoy({ PATH: root }, root)).toThrow('"npm run envoy"');
  program(".cache", "envoy", "bin", "envoy");
  expect(() => findEnvoy({ PATH: root }, root)).toThrow('"npm run envoy"');
  const installed = program(".cache", "envoy", "envoy", "_bin", "envoy");
  expect(findEnvoy({ PATH: root }, root)).toBe(installed);
  const onPath = program("envoy");
  expect(findEnvoy({ PATH: root }, root)).toBe(onPath);
  expect(findEnvoy({ PATH: root, ENVOY_PATH: installed }, root)).toBe(installed);
  expect(() => findEnvoy({ ENVOY_PATH: root }, root)).toThrow(`ENVOY_PATH is ${root}`);
});
