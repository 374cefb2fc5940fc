import type { DifferentialCase } from "../differential-case.ts";
import { get, post } from "./request-text.ts";

/** Bodies of requests, and several requests on one connection. */
export const BODIES_CASES: readonly DifferentialCase[] = [
  {
    name: "a body of known length",
    send: post("/x", "Content-Length: 2\r\n", "hi"),
    status: [200],
  },
  { name: "a body of GET", send: get("/x", "Content-Length: 2\r\n").concat("hi"), status: [200] },
  {
    name: "a length with zeros before it",
    send: post("/x", "Content-Length: 0002\r\n", "hi"),
    status: [200],
  },
  {
    name: "a body in chunks, with extension and trailer",
    send: post(
      "/x",
      "Transfer-Encoding: chunked\r\n",
      "5;ext=1\r\nhello\r\n3 \r\nabc\r\n0\r\nT: 1\r\n\r\n",
    ),
    status: [200],
  },
  {
    name: "chunked in capitals",
    send: post("/x", "Transfer-Encoding: Chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
    status: [200],
  },
  {
    name: "100-continue",
    send: [post("/x", "Expect: 100-continue\r\nContent-Length: 2\r\n"), "hi"],
    status: [100, 200],
  },
  {
    name: "another expectation",
    send: post("/x", "Expect: foo\r\nContent-Length: 2\r\n", "hi"),
    status: [200],
  },
  {
    name: "a head in pieces",
    send: ["GET /x HT", "TP/1.1\r\nHo", `st: a.test\r\n\r`, "\n"],
    status: [200],
  },
  { name: "empty lines before a request", send: `\r\n\r\n${get("/x")}`, status: [200] },
  {
    name: "three requests ahead",
    send: get("/1") + get("/2") + get("/3"),
    status: [200, 200, 200],
  },
  { name: "one after the other", send: [get("/1"), get("/2")], status: [200, 200] },
  { name: "a client that wants to close", send: get("/x", "Connection: close\r\n"), status: [200] },
  {
    name: "a client that says both",
    send: get("/x", "Connection: keep-alive\r\nConnection: close\r\n"),
    status: [200],
  },
  {
    name: "Proxy-Connection: close",
    send: get("/x", "Proxy-Connection: close\r\n"),
    status: [200],
  },
  {
    name: "a direct answer before the end of the request",
    send: post("/direct", "Content-Length: 10\r\n", "hi"),
    status: [418],
  },
  {
    name: "an upstream's answer before the end of the request",
    send: post("/early", "Content-Length: 10\r\n", "hi"),
    status: [200],
  },
];
