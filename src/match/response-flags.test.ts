import { expect, test } from "vitest";
import { joinFlags, longFlags } from "./response-flags.ts";

test("flags are joined in Envoy's order, each once", () => {
  expect(joinFlags("URX", "UF,URX")).toBe("UF,URX");
  expect(joinFlags("", "UF")).toBe("UF");
  expect(longFlags("UF,URX")).toBe("UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
});
