import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CallPlanes } from "./filters/call-planes.ts";
import {
  BRIDGE_CASES,
  REVERSE_BRIDGE_CASES,
  TOO_LARGE_TO_COUNT,
  TOO_LARGE_TO_FRAME,
} from "./filters/grpc-bridge-cases.ts";
import { STREAM_WITH_VERSION, statsCases } from "./filters/grpc-stats-cases.ts";
import { GRPC_WEB_CASES } from "./filters/grpc-web-cases.ts";

const BRIDGED = [...GRPC_WEB_CASES, ...BRIDGE_CASES, ...REVERSE_BRIDGE_CASES];
const CASES = [...BRIDGED, ...statsCases(BRIDGED.length)];
const planes = new CallPlanes(CASES);

beforeAll(() => planes.start());
afterAll(() => planes.stop());

describe("filters of gRPC", () => {
  test.each(CASES.map((one, at) => ({ ...one, at })))(
    "$name",
    async ({ at, status, says = "" }) => {
      const { weft, envoy } = await planes.run(at);
      const { headers = [], body = "", trailers = [] } = weft.answer;
      expect([...headers, ...trailers, body].join("\n")).toContain(says);
      expect(headers.find((line) => line.startsWith(":status")) ?? "none").toBe(
        status === 0 ? "none" : `:status: ${status}`,
      );
      expect(weft).toEqual(envoy);
    },
  );

  test("count the same", async () => {
    const { weft, envoy } = await planes.stats("grpc|http.l.*rs_too_large");
    expect(Object.keys(weft)).not.toEqual([]);
    expect(weft).toEqual(envoy);
  });

  test("tell Prometheus the same", async () => {
    const { weft, envoy } = await planes.metrics("grpc");
    expect(weft.some((line) => line.includes("upstream_rq_time_count{"))).toBe(true);
    expect(weft).toEqual(envoy);
  });
});

describe("filters of gRPC, otherwise than in Envoy", () => {
  const ours = new CallPlanes([STREAM_WITH_VERSION, TOO_LARGE_TO_FRAME, TOO_LARGE_TO_COUNT]);

  beforeAll(() => ours.start());
  afterAll(() => ours.stop());

  test("count a stream of Connect once", async () => {
    const weft = await ours.runWeft(0);
    expect(weft.log).toContain(" 2,3 ");
    const { weft: numbers } = await ours.stats("grpc");
    expect(numbers).toEqual({
      "cluster.up0.grpc.request_message_count": 2,
      "cluster.up0.grpc.response_message_count": 3,
      "cluster.up0.grpc.success": 1,
      "cluster.up0.grpc.total": 1,
    });
  });

  test("bound what they keep of a request", async () => {
    const weft = await ours.runWeft(1);
    expect(weft.answer.headers).toContain(":status: 413");
    expect(weft.upstream).toEqual([]);
  });

  test("bound what they keep of an answer whose head has gone", async () => {
    const weft = await ours.runWeft(2);
    expect(weft.answer).toMatchObject({ body: "", reset: "INTERNAL_ERROR" });
    expect(weft.log).toContain("response_payload_too_large");
  });
});
