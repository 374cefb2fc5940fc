import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { MeshError } from "./mesh-error.ts";

/**
 * Makes the folder of a home, for its owner only; one that is there keeps its mode, as it may hold
 * other things. A `MeshError` says why it cannot be one.
 */
export function createHome(home: string): void {
  try {
    createFolder(home);
    accessSync(home, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MeshError(
      `cannot keep a mesh in ${home} (${why}); choose another folder with --home or WEFT_HOME`,
    );
  }
}

/** Not by `recursive`: below /proc, where nothing can be made, Node then tries for ever. */
function createFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return;
  if (found !== undefined) throw new Error("it is not a folder");
  createFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another server makes the same one.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
