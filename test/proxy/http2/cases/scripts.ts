import type { Script } from "../../scripted-upstream.ts";
import type { H2Script } from "../h2-upstream.ts";

const GRPC = { ":status": 200, "content-type": "application/grpc" };

/** What the upstream of HTTP/1.1 answers, by path; everything else is 200 `hi`. */
export const H1_SCRIPTS: Readonly<Record<string, Script>> = {
  "/silent": {},
  "/mute": {},
  "/idle": {},
  "/long": {},
  "/asked": {},
  "/garbage": { send: "garbage\r\n\r\n" },
  "/close": { end: "fin" },
  "/chunked": {
    send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  },
  "/eof": { send: "HTTP/1.1 200 OK\r\n\r\nuntil close", end: "fin" },
  "/cut": { send: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", end: "fin" },
  "/cut-chunks": {
    send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    end: "reset",
  },
  "/bad-chunk": { send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n" },
  "/204": { send: "HTTP/1.1 204 No Content\r\n\r\n" },
  "/304": { send: "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n" },
  "/500": { send: "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" },
  "/again500": { send: "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" },
  "/hop": {
    send:
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-foo\r\nX-Foo: 1\r\nKeep-Alive: timeout=5\r\n" +
      "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Gone: 1\r\nContent-Length: 2\r\n\r\nhi",
  },
  "/early": { send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", isEarly: true },
  "/interim": {
    send: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  },
  "/websocket": {
    send:
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Accept: x\r\n\r\nfirst frame",
    end: "fin",
  },
  "/websocket-refused": { send: "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" },
};

/** What the upstream of HTTP/2 answers, by path; everything else is 200 `hi`. */
export const H2_SCRIPTS: Readonly<Record<string, H2Script>> = {
  "/silent": {},
  "/mute": {},
  "/idle": {},
  "/long": {},
  "/asked": {},
  "/echo": { echoes: true },
  "/empty": { headers: { ":status": 200 } },
  "/parts": { headers: { ":status": 200 }, body: ["one", "two", "three"] },
  "/large": { headers: { ":status": 200 }, body: [Buffer.alloc(300_000, "x")] },
  "/trailers": { headers: { ":status": 200 }, body: ["hi"], trailers: { "x-t": "1", "x-u": "2" } },
  "/only-trailers": { headers: { ":status": 200 }, trailers: { "x-t": "1" } },
  "/204": { headers: { ":status": 204 } },
  "/304": { headers: { ":status": 304, etag: "x" } },
  "/500": { headers: { ":status": 500 }, body: ["oops"] },
  "/again500": { headers: { ":status": 500 }, body: ["oops"] },
  "/hop": {
    headers: { ":status": 200, "set-cookie": ["a=1", "b=2"], "x-gone": "1", server: "theirs" },
    body: ["hi"],
  },
  "/length": { headers: { ":status": 200, "content-length": "2" }, body: ["hi"] },
  "/interim": {
    interim: { ":status": 103, link: "x" },
    headers: { ":status": 200 },
    body: ["hi"],
  },
  "/early": { headers: { ":status": 200 }, body: ["hi"], isEarly: true },
  "/reset": { reset: 8 },
  "/reset-internal": { reset: 2 },
  "/reset-no-error": { reset: 0 },
  "/refuse": { reset: 7 },
  "/reset-head": { headers: { ":status": 200 }, reset: 8 },
  "/reset-body": { headers: { ":status": 200 }, body: ["half"], reset: 2 },
  "/goaway": { headers: { ":status": 200 }, body: ["hi"], goaway: 0 },
  "/destroy": { destroys: true },
  "/destroy-body": { headers: { ":status": 200 }, body: ["half"], destroys: true, staysOpen: true },
  "/connect": { headers: { ":status": 200 }, body: ["welcome"], isEarly: true },
  "/websocket": {
    headers: { ":status": 200, "sec-websocket-accept": "x" },
    body: ["first frame"],
    isEarly: true,
  },
  "/websocket-refused": { headers: { ":status": 403 }, body: ["no"], isEarly: true },
  "/grpc.Test/Ok": {
    headers: GRPC,
    body: [Buffer.from("0000000002c3a4", "hex")],
    trailers: { "grpc-status": "0", "grpc-message": "" },
  },
  "/grpc.Test/Error": { headers: { ...GRPC, "grpc-status": "5", "grpc-message": "no such" } },
  "/grpc.Test/Late": { headers: GRPC, trailers: { "grpc-status": "13", "grpc-message": "oh" } },
  "/grpc.Test/Unavailable": { headers: { ...GRPC, "grpc-status": "14" } },
  "/grpc.Test/Stream": {
    headers: GRPC,
    body: [Buffer.from("000000000161", "hex"), Buffer.from("000000000162", "hex")],
    trailers: { "grpc-status": "0", "x-t": "end" },
  },
  "/grpc.Test/Plain": { headers: { ":status": 503, "content-type": "text/plain" }, body: ["bad"] },
};
