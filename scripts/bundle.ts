/**
 * Bundles every process's `main` into `dist/`, so that a sidecar starts in a fraction of a second
 * and `bin/weft` needs no loader. What the entries share is split into chunks.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(repository, "dist");

await build({
  absWorkingDir: repository,
  entryPoints: { weft: "src/cmd/weft.ts", bookinfo: "samples/bookinfo/src/main.ts" },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
  // It loads a native binary that stands beside it.
  external: ["lmdb"],
  // CommonJS packages inside an ES module still ask for Node's modules with `require`.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});
