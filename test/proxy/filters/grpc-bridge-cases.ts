import { answer, type CallCase, callCases, message } from "./call-case.ts";
import { own, toOwn } from "./filter-case.ts";

const OK = 200;
const HI = message("hi");
const GRPC = { "content-type": "application/grpc", te: "trailers" };
const PLAIN = { "content-type": "application/x-protobuf" };

function bridge(config: object = {}): readonly object[] {
  return [own("grpc_http1_bridge.v3.Config", config)];
}

function reverse(config: object): readonly object[] {
  return [
    own("grpc_http1_reverse_bridge.v3.FilterConfig", {
      content_type: "application/x-protobuf",
      ...config,
    }),
  ];
}

/** A listener whose connections buffer so much. */
function buffers(bytes: number): object {
  return { per_connection_buffer_limit_bytes: bytes };
}

export const BRIDGE_CASES: readonly CallCase[] = [
  ...callCases({ filters: bridge(), over: "HTTP/1.1", headers: GRPC, body: [HI] }, [
    { name: "bridge: a call", script: answer(["hello"]), status: OK, says: "grpc-status: 0" },
    {
      name: "bridge: a call that fails",
      script: answer([], { "grpc-status": "5", "grpc-message": "not%20there" }),
      status: 503,
      says: "grpc-message: not%20there",
    },
    {
      name: "bridge: a call that fails behind messages",
      script: answer(["one", "two"], { "grpc-status": "13" }),
      status: 503,
    },
    {
      name: "bridge: a status that is no number",
      script: answer(["one"], { "grpc-status": "what" }),
      status: 503,
    },
    {
      name: "bridge: trailers without a status",
      script: answer(["one"], { "x-t": "1" }),
      status: OK,
      says: "content-length: 8",
    },
    {
      name: "bridge: nothing but a head",
      script: {
        headers: { ":status": 200, "content-type": "application/grpc", "grpc-status": "7" },
      },
      status: OK,
    },
    {
      name: "bridge: no trailers",
      script: { headers: { ":status": 200, "content-type": "application/grpc" }, body: [HI] },
      status: OK,
    },
    {
      name: "bridge: the upstream breaks off",
      script: {
        headers: { ":status": 200, "content-type": "application/grpc" },
        body: [HI],
        destroys: true,
      },
      status: OK,
      says: "grpc-message: upstream connect error or disconnect/reset before headers. reset reason: ",
    },
    {
      name: "bridge: the upstream resets",
      script: {
        headers: { ":status": 200, "content-type": "application/grpc" },
        body: [HI],
        reset: 8,
      },
      status: OK,
      says: "grpc-status: 14",
    },
    { name: "bridge: no upstream", script: "none", status: OK, ignores: ["log"] },
    {
      name: "bridge: a query that stays",
      query: "?a=b",
      script: answer(["hello"]),
      status: OK,
    },
    {
      name: "bridge: what is no gRPC goes through",
      headers: { "content-type": "text/plain" },
      script: answer(["hello"], { "grpc-status": "5" }),
      status: OK,
    },
    {
      name: "bridge: as much as is buffered",
      listener: buffers(2000),
      script: answer(["a".repeat(1995)]),
      status: OK,
    },
    {
      name: "bridge: more than is buffered",
      listener: buffers(2000),
      script: answer(["a".repeat(3000)]),
      status: OK,
      says: "grpc-message: Internal Server Error",
    },
    {
      name: "bridge: a query that goes",
      filters: bridge({ ignore_query_parameters: true }),
      query: "?a=b",
      script: answer(["hello"]),
      status: OK,
    },
  ]),
  ...callCases(
    {
      filters: bridge({ upgrade_protobuf_to_grpc: true, ignore_query_parameters: true }),
      over: "HTTP/1.1",
      headers: PLAIN,
      body: ["hi"],
    },
    [
      {
        name: "bridge: plain protobuf",
        query: "?a",
        script: answer(["hello"]),
        status: OK,
        says: "hello",
      },
      {
        name: "bridge: plain protobuf with a length, in pieces",
        headers: { ...PLAIN, "content-length": "9" },
        body: ["one", "two", "six"],
        script: answer([message("hello").subarray(0, 7), message("hello").subarray(7)]),
        status: OK,
        says: "content-length: 5",
      },
      {
        name: "bridge: plain protobuf that fails",
        script: answer([], { "grpc-status": "16" }),
        status: 503,
      },
      {
        name: "bridge: plain protobuf, no upstream",
        script: "none",
        status: 503,
        ignores: ["log"],
        says: "upstream connect error",
      },
      {
        name: "bridge: plain protobuf, and more of an answer than is buffered",
        listener: buffers(2000),
        script: answer(["a".repeat(3000)]),
        status: 500,
        says: "Internal Server Error",
      },
      {
        name: "bridge: gRPC beside plain protobuf",
        headers: GRPC,
        body: [HI],
        script: answer(["hello"]),
        status: OK,
      },
    ],
  ),
  {
    name: "bridge: clients of HTTP/2 need none",
    filters: bridge(),
    over: "HTTP/2",
    headers: GRPC,
    body: [HI],
    script: answer(["hello"], { "grpc-status": "5" }),
    status: OK,
    says: "grpc-status: 5",
  },
];

function text(
  status: number,
  head: string,
  body: string,
  type = "application/x-protobuf",
): { send: string } {
  return {
    send: `HTTP/1.1 ${status} Some\r\ncontent-type: ${type}\r\n${head}\r\n${body}`,
  };
}

const WITHHOLD = { withhold_grpc_frames: true };
const SIZED = { withhold_grpc_frames: true, response_size_header: "X-Size" };
const CHUNKED = "transfer-encoding: chunked\r\n";

export const REVERSE_BRIDGE_CASES: readonly CallCase[] = [
  ...callCases({ filters: reverse({}), over: "HTTP/2", headers: GRPC, body: [HI] }, [
    {
      name: "reverse bridge: a call",
      script: text(200, "content-length: 7\r\n", "\0\0\0\0\u0002hi"),
      status: OK,
      says: "grpc-status: 0",
    },
    {
      name: "reverse bridge: another status",
      script: text(503, "content-length: 7\r\n", "\0\0\0\0\u0002hi"),
      status: OK,
      says: "grpc-status: 14",
    },
    {
      name: "reverse bridge: nothing but a head",
      script: text(200, "content-length: 0\r\n", ""),
      status: OK,
    },
    {
      name: "reverse bridge: another content type",
      script: text(200, "content-length: 2\r\n", "hi", "text/plain"),
      status: OK,
      says: "grpc-message: envoy reverse bridge: upstream responded with unsupported content-type text/plain, status code 200",
    },
    {
      name: "reverse bridge: no content type",
      script: { send: "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno" },
      status: OK,
      says: "no content-type header, status code 404",
    },
    { name: "reverse bridge: no upstream", script: "none", status: OK, ignores: ["log"] },
    {
      name: "reverse bridge: no body, no bridge",
      body: undefined as never,
      script: text(200, "content-length: 2\r\n", "hi"),
      status: OK,
    },
    {
      name: "reverse bridge: what is no gRPC goes through",
      headers: PLAIN,
      script: text(200, "content-length: 2\r\n", "hi", "text/plain"),
      status: OK,
    },
    {
      name: "reverse bridge: switched off by the route",
      options: {
        route_config: {
          name: "off",
          virtual_hosts: [
            {
              name: "all",
              domains: ["*"],
              routes: [{ match: { prefix: "/" }, direct_response: { status: 418 } }],
              ...toOwn("grpc_http1_reverse_bridge.v3.FilterConfigPerRoute", { disabled: true }),
            },
          ],
        },
      },
      script: text(200, "content-length: 2\r\n", "hi", "text/plain"),
      status: OK,
      ignores: ["content-length"],
    },
  ]),
  ...callCases({ filters: reverse(WITHHOLD), over: "HTTP/2", headers: GRPC, body: [HI] }, [
    {
      name: "reverse bridge, without frames: a call",
      script: text(200, "content-length: 5\r\n", "hello"),
      status: OK,
      says: "\0\0\0\0\u0005hello",
    },
    {
      name: "reverse bridge, without frames: a call with a length",
      headers: { ...GRPC, "content-length": String(HI.length) },
      script: text(200, CHUNKED, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
      status: OK,
      says: "\0\0\0\0\u0005hello",
    },
    {
      name: "reverse bridge, without frames: another status",
      script: text(404, "content-length: 2\r\n", "no"),
      status: OK,
      says: "grpc-status: 12",
    },
    {
      name: "reverse bridge, without frames: nothing but a head",
      script: text(200, "content-length: 0\r\n", ""),
      status: OK,
      says: "\0\0\0\0\0",
    },
    {
      name: "reverse bridge, without frames: a request that is too small",
      body: ["abc"],
      script: text(200, "content-length: 2\r\n", "hi"),
      status: OK,
      ignores: ["upstream"],
    },
  ]),
  ...callCases({ filters: reverse(SIZED), over: "HTTP/2", headers: GRPC, body: [HI] }, [
    {
      name: "reverse bridge, with a size: a call",
      script: text(200, `x-size: 5\r\n${CHUNKED}`, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
      status: OK,
      says: "\0\0\0\0\u0005hello",
    },
    {
      name: "reverse bridge, with a size: the first one counts",
      script: text(200, `x-size: 5, 6\r\n${CHUNKED}`, "5\r\nhello\r\n0\r\n\r\n"),
      status: OK,
    },
    {
      name: "reverse bridge, with a size: none",
      script: text(200, CHUNKED, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
      status: OK,
      says: "upstream did not set content length",
    },
    {
      name: "reverse bridge, with a size: a wrong one",
      script: text(200, `x-size: 6\r\n${CHUNKED}`, "5\r\nhello\r\n0\r\n\r\n"),
      status: OK,
      // Envoy logs the trailers that it was about to send.
      ignores: ["log"],
    },
    {
      name: "reverse bridge, with a size: of nothing",
      script: text(200, `x-size: 0\r\n${CHUNKED}`, "0\r\n\r\n"),
      status: OK,
    },
  ]),
];

/** Envoy lets this through where it comes in one piece, and stands still otherwise. */
export const TOO_LARGE_TO_FRAME: CallCase = {
  name: "bridge: more of plain protobuf than is buffered",
  filters: bridge({ upgrade_protobuf_to_grpc: true }),
  listener: buffers(2000),
  over: "HTTP/1.1",
  headers: PLAIN,
  body: ["a".repeat(3000)],
  script: answer(["hello"]),
  status: 413,
};

/** Envoy keeps all of it, however much that is. */
export const TOO_LARGE_TO_COUNT: CallCase = {
  name: "reverse bridge, without frames: more than a stream may buffer",
  filters: reverse(WITHHOLD),
  options: { http2_protocol_options: { initial_stream_window_size: 65_535 } },
  over: "HTTP/2",
  headers: GRPC,
  body: [HI],
  script: text(200, CHUNKED, `${(100_000).toString(16)}\r\n${"a".repeat(100_000)}\r\n0\r\n\r\n`),
  status: OK,
};
