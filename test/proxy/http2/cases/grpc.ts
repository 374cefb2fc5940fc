import type { H2Case } from "../h2-case.ts";
import type { H2Request } from "../h2-client.ts";

const MESSAGE = Buffer.from("000000000161", "hex");

const call = (method: string, headers: object = {}, more: Partial<H2Request> = {}): H2Request => ({
  headers: {
    ":path": method.startsWith("/") ? method : `/grpc.Test/${method}`,
    ":authority": "two.test",
    ":method": "POST",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  },
  body: [MESSAGE],
  ...more,
});

/** Calls of gRPC. */
export const GRPC_CASES: readonly H2Case[] = [
  { name: "a call", requests: [call("Ok")], status: [200] },
  { name: "a call that fails at once", requests: [call("Error")], status: [200] },
  { name: "a call that fails late", requests: [call("Late")], status: [200] },
  { name: "a call with a stream of answers", requests: [call("Stream")], status: [200] },
  {
    name: "a call with a stream of messages",
    requests: [call("Ok", {}, { body: [MESSAGE, MESSAGE, MESSAGE] })],
    status: [200],
  },
  { name: "a call that is echoed", requests: [call("/echo")], status: [200] },
  { name: "a call that is answered in HTTP", requests: [call("Plain")], status: [503] },
  {
    name: "a call of nothing that is there",
    requests: [call("Ok", { ":authority": "x" })],
    status: [200],
  },
  { name: "a call to no cluster", requests: [call("/nowhere")], status: [200] },
  { name: "a call to a host that refuses", requests: [call("/refused")], status: [200] },
  { name: "a call that takes too long", requests: [call("/silent")], status: [200] },
  { name: "a call with a direct response", requests: [call("/direct")], status: [200] },
  { name: "a call that is reset", requests: [call("/reset")], status: [200] },
  {
    name: "a call with a deadline",
    requests: [call("/asked", { "grpc-timeout": "200m" })],
    status: [200],
  },
  {
    name: "a call with a deadline that is too long",
    requests: [call("/asked", { "grpc-timeout": "100S" })],
    status: [200],
  },
  { name: "a route for gRPC only", requests: [call("/only.Grpc/Call")], status: [200] },
  {
    name: "a route for gRPC only, without gRPC",
    requests: [call("/only.Grpc/Call", { "content-type": "text/plain" })],
    status: [200],
  },
  {
    name: "a call with another content type of gRPC",
    requests: [call("/nowhere", { "content-type": "application/grpc+proto" })],
    status: [200],
  },
  {
    name: "a call with a content type that is nearly gRPC",
    requests: [call("/nowhere", { "content-type": "application/grpc-web" })],
    status: [503],
  },
  {
    name: "a call that is tried again",
    requests: [call("/againgrpc.Test/Unavailable")],
    status: [200],
  },
];
