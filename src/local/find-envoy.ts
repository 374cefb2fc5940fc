import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { MeshError } from "./mesh-error.ts";

/** How deep the folder of an installed wheel is looked through. */
const DEPTH_MAX = 5;

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
  const found =
    onPath.find(isExecutable) ?? search(join(packageRoot, ".cache", "envoy"), DEPTH_MAX);
  if (found !== undefined) return found;
  throw new MeshError(
    `no Envoy was found in ENVOY_PATH, in PATH, or in ${join(packageRoot, ".cache", "envoy")}: install one with "npm run envoy", or leave out --proxy envoy`,
  );
}

function search(folder: string, depth: number): string | undefined {
  if (depth === 0 || !existsSync(folder)) return undefined;
  const here = join(folder, "envoy");
  if (isExecutable(here)) return here;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const found = search(join(folder, entry.name), depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
