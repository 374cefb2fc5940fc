import type { ServerHttp2Stream } from "node:http2";
import { describe, expect, test } from "vitest";
import { checkOverHttp2 } from "./http2-health.ts";

const GRPC = { ":status": 200, "content-type": "application/grpc" };

/** A `HealthCheckResponse` with its length before it. */
function answer(status: number): Buffer {
  return Buffer.from([0, 0, 0, 0, 2, 8, status]);
}

/** Answers with a message and the status of the call. */
function says(message: Buffer, grpcStatus = "0"): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus }));
    stream.end(message);
  };
}

const ANSWERS: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  serving: says(answer(1)),
  "not serving": says(answer(2)),
  "unknown service": says(answer(3)),
  "an empty message": says(Buffer.from([0, 0, 0, 0, 0])),
  "no message": says(Buffer.alloc(0)),
  "two messages": says(Buffer.concat([answer(1), answer(1)])),
  "no protobuf": says(Buffer.from([0, 0, 0, 0, 2, 255, 255])),
  "a cut-off message": says(Buffer.from([0, 0, 0, 0, 9, 8, 1])),
  "an error": says(answer(1), "5"),
  "trailers alone": (stream) =>
    stream.respond({ ...GRPC, "grpc-status": "12" }, { endStream: true }),
  "no trailers": (stream) => {
    stream.respond(GRPC);
    stream.end(answer(1));
  },
  "no gRPC": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/plain" });
    stream.end("hi");
  },
  "an error of HTTP": (stream) => stream.respond({ ":status": 503 }, { endStream: true }),
  "a reset": (stream) => stream.close(2),
  "a connection that breaks": (stream) => stream.session?.destroy(),
  "a connection that says goodbye": (stream) => {
    says(answer(1))(stream);
    stream.session?.goaway(0, stream.id);
  },
  silence: () => undefined,
};

describe("a health check by gRPC is made and understood as by Envoy", () => {
  test.each(Object.entries(ANSWERS).map(([name, run]) => ({ name, run })))(
    "$name",
    async ({ run }) => {
      const { weft, envoy } = await checkOverHttp2(run, { grpc_health_check: {} });
      expect(weft).toEqual(envoy);
    },
  );

  test("with a service, an authority and metadata", async () => {
    const { weft, envoy } = await checkOverHttp2(says(answer(1)), {
      grpc_health_check: {
        service_name: "my.Service",
        authority: "checked.test",
        initial_metadata: [{ header: { key: "x-a", value: "%UPSTREAM_REMOTE_ADDRESS% b" } }],
      },
      reuse_connection: false,
    });
    expect(weft).toEqual(envoy);
    expect(weft).toMatchObject({ headers: { ":authority": "checked.test" }, isKept: false });
  });
});
