import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CallPlanes } from "./filters/call-planes.ts";
import { BRIDGE_CASES, REVERSE_BRIDGE_CASES } from "./filters/grpc-bridge-cases.ts";
import { statsCases } from "./filters/grpc-stats-cases.ts";
import { GRPC_WEB_CASES } from "./filters/grpc-web-cases.ts";

const BRIDGED = [...GRPC_WEB_CASES, ...BRIDGE_CASES, ...REVERSE_BRIDGE_CASES];
const CASES = [...BRIDGED, ...statsCases(BRIDGED.length)];
const planes = new CallPlanes(CASES);

beforeAll(() => planes.start());
afterAll(() => planes.stop());

describe("filters of gRPC", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))(
    "$name",
    async ({ at, status, says = "", isOurs }) => {
      const { weft, envoy } = await planes.run(at);
      const { headers = [], body = "", trailers = [] } = weft.answer;
      expect([...headers, ...trailers, body].join("\n")).toContain(says);
      expect(headers.find((line) => line.startsWith(":status")) ?? "none").toBe(
        status === 0 ? "none" : `:status: ${status}`,
      );
      expect(weft).toEqual(isOurs === true ? weft : envoy);
    },
  );

  test("count the same", async () => {
    const { weft, envoy } = await planes.stats("grpc|http.l.*rs_too_large");
    expect(Object.keys(weft)).not.toEqual([]);
    expect(weft).toEqual(envoy);
  });
});
