import { createRequire } from "node:module";

type Cel = typeof import("@bufbuild/cel");

const require = createRequire(import.meta.url);
let parse: Cel["parse"] | undefined;

/**
 * What is wrong with a CEL expression, or `undefined`; only its syntax, as Istio's webhook looks at it.
 * The parser is read when the first expression is: few meshes have one.
 */
export function checkCelSyntax(text: string): string | undefined {
  parse ??= (require("@bufbuild/cel") as Cel).parse;
  try {
    parse(text);
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `must be a valid CEL expression: ${cause}`;
  }
}
