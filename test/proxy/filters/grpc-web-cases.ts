import { answer, type CallCase, callCases, message } from "./call-case.ts";
import { own } from "./filter-case.ts";

const WEB = [own("grpc_web.v3.GrpcWeb")];
const BINARY = { "content-type": "application/grpc-web+proto" };
const TEXT = {
  "content-type": "application/grpc-web-text+proto",
  accept: "application/grpc-web-text+proto",
};
const OK = 200;

/** A message, and as base64. */
const HI = message("hi");
const HI_TEXT = HI.toString("base64");

function text(...pieces: readonly Buffer[]): string {
  return pieces.map((piece) => piece.toString("base64")).join("");
}

/** Over both versions of HTTP. */
const CALLS: readonly (Pick<CallCase, "name" | "script" | "status"> & Partial<CallCase>)[] = [
  {
    name: "grpc_web: a call",
    headers: BINARY,
    body: [HI],
    script: answer(["hello"]),
    status: OK,
    says: "grpc-status:0\r\n",
  },
  {
    name: "grpc_web: a call with a length and no subtype",
    headers: { "content-type": "application/grpc-web", "content-length": String(HI.length) },
    body: [HI],
    script: answer(["hello"], { "grpc-status": "5", "grpc-message": "not%20there", "x-t": "1" }),
    status: OK,
    says: "grpc-message:not%20there\r\n",
  },
  {
    name: "grpc_web: many messages",
    headers: BINARY,
    body: [HI, HI, HI],
    script: answer(["one", "two", "", "four"]),
    status: OK,
  },
  {
    name: "grpc_web: a call as text",
    headers: TEXT,
    body: [HI_TEXT],
    script: answer(["hello"]),
    status: OK,
    says: message("hello").toString("base64"),
  },
  {
    name: "grpc_web: text cut anywhere",
    headers: TEXT,
    body: [HI_TEXT.slice(0, 1), HI_TEXT.slice(1, 6), HI_TEXT.slice(6)],
    script: answer([message("hello").subarray(0, 3), message("hello").subarray(3)]),
    status: OK,
  },
  {
    name: "grpc_web: text, several messages at once",
    headers: { ...TEXT, "content-type": "application/grpc-web-text" },
    body: [text(Buffer.concat([HI, HI, message("abc")]))],
    script: answer([Buffer.concat([message("one"), message("three"), message("")]), "x"]),
    status: OK,
  },
  {
    name: "grpc_web: text in, binary out",
    headers: { ...TEXT, accept: "*/*" },
    body: [HI_TEXT],
    script: answer(["hello"]),
    status: OK,
  },
  {
    name: "grpc_web: binary in, text out",
    headers: { ...BINARY, accept: "application/grpc-web-text" },
    body: [HI],
    script: answer(["hello"]),
    status: OK,
  },
  {
    name: "grpc_web: text that is too short",
    headers: TEXT,
    body: [HI_TEXT.slice(0, 6)],
    script: answer(["hello"]),
    status: 400,
    says: "grpc-message: Bad gRPC-web request, invalid base64 data.",
    // How much of it has gone out by then is a matter of time.
    ignores: ["upstream"],
  },
  {
    name: "grpc_web: text that is none",
    headers: TEXT,
    body: ["!!!!"],
    script: answer(["hello"]),
    status: 400,
    ignores: ["upstream"],
  },
  {
    name: "grpc_web: an answer of nothing but a head",
    headers: BINARY,
    body: [HI],
    script: {
      headers: {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": "7",
        "grpc-message": "no",
      },
    },
    status: OK,
    says: "grpc-status: 7",
  },
  {
    name: "grpc_web: nothing but a head without a status",
    headers: BINARY,
    body: [HI],
    script: { headers: { ":status": 404, "content-type": "text/plain" } },
    status: 404,
  },
  {
    name: "grpc_web: an answer that is no gRPC",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 503, "content-type": "text/plain", "content-length": "7" },
      body: ["no ~ 50%".slice(0, 7)],
    },
    status: 503,
    says: "grpc-status: 14",
  },
  {
    name: "grpc_web: HTML in pieces",
    headers: TEXT,
    body: [HI_TEXT],
    script: {
      headers: { ":status": 200, "content-type": "text/html" },
      body: ["<b>", "\n\u0007~%</b>"],
    },
    status: OK,
    says: "grpc-status: 2",
  },
  {
    name: "grpc_web: no gRPC, with trailers",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 429, "content-type": "text/html" },
      body: ["slowly"],
      trailers: { "grpc-status": "3", "x-t": "1" },
    },
    status: 429,
  },
  {
    name: "grpc_web: no gRPC and too long",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 500, "content-type": "text/html" },
      body: ["a".repeat(9_000), "b".repeat(9_000), "c".repeat(9_000)],
    },
    status: 500,
  },
  {
    name: "grpc_web: an upstream that speaks it",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 200, "content-type": "application/grpc-web+proto; charset=utf-8" },
      body: [message("hello"), message("grpc-status:0\r\n", 128)],
    },
    status: OK,
  },
  {
    name: "grpc_web: no trailers",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 200, "content-type": "application/grpc" },
      body: [message("hello")],
    },
    status: OK,
  },
  {
    name: "grpc_web: no upstream",
    headers: BINARY,
    body: [HI],
    script: "none",
    status: 503,
    // Why it could not connect is said in other words.
    ignores: ["log"],
  },
  {
    name: "grpc_web: no upstream, as text",
    headers: TEXT,
    body: [HI_TEXT],
    script: "none",
    status: 503,
    ignores: ["log"],
  },
  {
    name: "grpc_web: gRPC itself goes through",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: [HI],
    script: answer(["hello"]),
    status: OK,
  },
  {
    name: "grpc_web: a content type with parameters is none",
    headers: { "content-type": "application/grpc-web+proto; a=b" },
    body: [HI],
    script: { headers: { ":status": 200, "content-type": "text/plain" }, body: ["what"] },
    status: OK,
  },
  {
    name: "grpc_web: encodings that the client accepts stay",
    headers: { ...BINARY, "grpc-accept-encoding": "gzip" },
    body: [HI],
    script: answer([message("zipped", 1)]),
    status: OK,
  },
  {
    name: "grpc_web: an empty body",
    headers: { ...BINARY, "content-length": "0" },
    script: answer(["hello"]),
    status: OK,
  },
  {
    name: "grpc_web: the upstream breaks off",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 200, "content-type": "application/grpc" },
      body: [message("hello")],
      destroys: true,
    },
    status: OK,
  },
  {
    name: "grpc_web: what is no gRPC breaks off",
    headers: BINARY,
    body: [HI],
    script: {
      headers: { ":status": 200, "content-type": "text/html" },
      body: ["<b>"],
      destroys: true,
    },
    status: 503,
  },
];

function over(version: CallCase["over"]): readonly CallCase[] {
  const named = CALLS.map((one) => ({ ...one, name: `${one.name}, ${version}` }));
  return callCases({ filters: WEB, over: version }, named);
}

export const GRPC_WEB_CASES: readonly CallCase[] = [
  ...over("HTTP/1.1"),
  ...over("HTTP/2"),
  ...callCases({ filters: WEB, over: "HTTP/1.1", headers: BINARY, body: [HI] }, [
    {
      name: "grpc_web: filters before it see the head when it goes on",
      filters: [
        own("header_mutation.v3.HeaderMutation", {
          mutations: {
            response_mutations: [
              {
                append: {
                  header: { key: "x-seen", value: "%RESP(GRPC-STATUS)% %RESP(GRPC-MESSAGE)%" },
                },
              },
            ],
          },
        }),
        { ...own("grpc_web.v3.GrpcWeb"), name: "web" },
      ],
      script: { headers: { ":status": 503, "content-type": "text/plain" }, body: ["no"] },
      status: 503,
      says: "x-seen: 14 no",
    },
    {
      name: "grpc_web: filters behind it see what the upstream said",
      filters: [
        { ...own("grpc_web.v3.GrpcWeb"), name: "web" },
        own("header_mutation.v3.HeaderMutation", {
          mutations: {
            response_mutations: [
              {
                append: {
                  header: { key: "x-seen", value: "%RESP(GRPC-STATUS)% %RESP(CONTENT-TYPE)%" },
                },
              },
            ],
          },
        }),
      ],
      script: { headers: { ":status": 503, "content-type": "text/plain" }, body: ["no"] },
      status: 503,
      says: "x-seen: text/plain",
    },
    {
      name: "grpc_web: over an upstream of HTTP/1.1",
      script: {
        send: "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: 7\r\n\r\n\0\0\0\0\u0002hi",
      },
      status: OK,
    },
  ]),
];
