import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Tests that start processes run what users run, so the bundles are made anew first (a second). */
export function setup(): void {
  const repository = dirname(dirname(fileURLToPath(import.meta.url)));
  execFileSync("npm", ["run", "--silent", "build"], {
    cwd: repository,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 300_000,
  });
}
