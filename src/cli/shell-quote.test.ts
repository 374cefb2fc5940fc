import { expect, it } from "vitest";
import { shellQuote } from "./shell-quote.ts";

it.each([
  ["/root/.weft/kubeconfig", "/root/.weft/kubeconfig"],
  ["/tmp/a b/kubeconfig", "'/tmp/a b/kubeconfig'"],
  ["/tmp/it's", `'/tmp/it'\\''s'`],
])("`shellQuote(%j)` is %s", (text, quoted) => {
  expect(shellQuote(text)).toBe(quoted);
});
