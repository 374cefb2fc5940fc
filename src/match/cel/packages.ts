import { createRequire } from "node:module";

type Cel = typeof import("@bufbuild/cel");
type CelExtensions = typeof import("@bufbuild/cel/ext");
type Re2 = typeof import("@bufbuild/re2");

const require = createRequire(import.meta.url);
let packages: (Cel & Pick<CelExtensions, "strings"> & Pick<Re2, "RE2JS">) | undefined;

/**
 * What parses and evaluates expressions. Read when the first one is compiled: it has 8 MB of memory,
 * and most proxies have no expression.
 */
export function celPackages(): Exclude<typeof packages, undefined> {
  packages ??= {
    ...(require("@bufbuild/cel") as Cel),
    strings: (require("@bufbuild/cel/ext") as CelExtensions).strings,
    RE2JS: (require("@bufbuild/re2") as Re2).RE2JS,
  };
  return packages;
}
