import { post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own, typed } from "./filter-case.ts";

/** Filters that hold the head of a response, among others, over HTTP/1.1 both ways. */

const GRPC = "Content-Type: application/grpc\r\nContent-Length: 7\r\n";
const HI = "\0\0\0\0\u0002hi";
const BRIDGE = own("grpc_http1_bridge.v3.Config");
const WEB = own("grpc_web.v3.GrpcWeb");
const REVERSE = own("grpc_http1_reverse_bridge.v3.FilterConfig", {
  content_type: "application/x-protobuf",
});
const COMPRESSOR = {
  name: "compressor",
  typed_config: typed("compressor.v3.Compressor", {
    response_direction_config: {
      common_config: { min_content_length: 1, content_type: ["application/grpc", "text/plain"] },
    },
    compressor_library: {
      name: "gzip",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip",
      },
    },
  }),
};
const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";

const SCRIPTS = {
  "/a.B/Call": { send: `${HEAD}Content-Length: 7\r\n\r\n${HI}` },
  "/a.B/Chunks": { send: `${HEAD}${CHUNKED}7\r\n${HI}\r\n0\r\n\r\n` },
  "/a.B/Stalls": { send: `${HEAD}${CHUNKED}7\r\n${HI}\r\n` },
  "/a.B/Breaks": { send: `${HEAD}${CHUNKED}7\r\n${HI}\r\n`, end: "fin" },
  "/a.B/Text": {
    send: "HTTP/1.1 503 No\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nsorry",
  },
  "/a.B/Proto": {
    send: "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n\r\nhi",
  },
} as const;

const GZIP = "Accept-Encoding: gzip\r\n";

export const HELD_HEAD_CASES: readonly OptionCase[] = [
  ...casesOf({ options: filters(BRIDGE), scripts: SCRIPTS }, [
    { name: "held head: a length stays", send: post("/a.B/Call", GRPC, HI), status: [200] },
    { name: "held head: chunks stay", send: post("/a.B/Chunks", GRPC, HI), status: [200] },
    {
      name: "held head: requests one behind the other",
      send:
        post("/a.B/Call", GRPC, HI) + post("/a.B/Chunks", GRPC, HI) + post("/a.B/Call", GRPC, HI),
      status: [200, 200, 200],
    },
    {
      name: "held head: the upstream breaks off",
      send: post("/a.B/Breaks", GRPC, HI),
      status: [200],
    },
  ]),
  {
    name: "held head: nothing moves any more",
    options: { ...filters(BRIDGE), stream_idle_timeout: "0.3s" },
    scripts: SCRIPTS,
    send: post("/a.B/Stalls", GRPC, HI),
    status: [200],
    waitsMs: 300,
  },
  {
    name: "held head: the route's time is up",
    options: filters(BRIDGE),
    routes: [{ match: { prefix: "/a.B" }, route: { cluster: "up", timeout: "0.3s" } }],
    scripts: SCRIPTS,
    send: post("/a.B/Stalls", GRPC, HI),
    status: [200],
    waitsMs: 300,
  },
  {
    name: "held head: the stream's time is up",
    options: {
      ...filters(BRIDGE),
      common_http_protocol_options: { max_stream_duration: "0.3s" },
    },
    scripts: SCRIPTS,
    send: post("/a.B/Stalls", GRPC, HI),
    status: [200],
    waitsMs: 300,
  },
  ...casesOf({ options: filters(COMPRESSOR, WEB), scripts: SCRIPTS }, [
    {
      name: "held head: a compressor before the filter",
      send: post(
        "/a.B/Text",
        `${GZIP}Content-Type: application/grpc-web\r\nContent-Length: 7\r\n`,
        HI,
      ),
      status: [503],
    },
  ]),
  ...casesOf({ options: filters(WEB, COMPRESSOR), scripts: SCRIPTS, decodes: true }, [
    {
      name: "held head: a compressor behind the filter",
      send: post("/a.B/Call", `${GZIP}${GRPC}`, HI),
      status: [200],
    },
  ]),
  ...casesOf({ options: filters(BRIDGE, COMPRESSOR), scripts: SCRIPTS, decodes: true }, [
    {
      name: "held head: a body that is compressed before it is held",
      send: post("/a.B/Chunks", `${GZIP}${GRPC}`, HI),
      status: [200],
    },
  ]),
  ...casesOf({ options: filters(COMPRESSOR, BRIDGE), scripts: SCRIPTS, decodes: true }, [
    {
      name: "held head: a body that is compressed after it was held",
      send: post("/a.B/Chunks", `${GZIP}${GRPC}`, HI),
      status: [200],
    },
  ]),
  {
    name: "held head: two filters hold it",
    options: filters({ ...BRIDGE, name: "one" }, { ...BRIDGE, name: "two" }),
    scripts: SCRIPTS,
    send: post("/a.B/Chunks", GRPC, HI),
    status: [200],
  },
  ...casesOf({ options: filters(REVERSE), scripts: SCRIPTS }, [
    {
      name: "held head: a filter answers in its place",
      send: post("/a.B/Text", GRPC, HI),
      status: [200],
    },
    {
      name: "held head: a filter answers in its place, with requests behind",
      send:
        post("/a.B/Text", GRPC, HI) + post("/a.B/Proto", GRPC, HI) + post("/a.B/Text", GRPC, HI),
      status: [200, 200, 200],
    },
  ]),
];
