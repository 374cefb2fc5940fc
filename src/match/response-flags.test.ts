import { expect, test } from "vitest";
import { joinFlags, longFlags } from "./response-flags.ts";

test("flags are joined in the order in which they were set, each once", () => {
  expect(joinFlags("URX", "UF,URX")).toBe("URX,UF");
  expect(joinFlags("", "UF")).toBe("UF");
  expect(longFlags("UF,URX")).toBe("UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
});
