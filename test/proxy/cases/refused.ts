import type { DifferentialCase } from "../differential-case.ts";
import { get, HOST_LINE, post } from "./request-text.ts";

/** Requests that two parsers could read otherwise: refused by both. */
export const REFUSED_CASES: readonly DifferentialCase[] = [
  { name: "no Host", send: "GET /x HTTP/1.1\r\n\r\n", status: [400] },
  { name: "a Host with a space", send: "GET /x HTTP/1.1\r\nHost: a test\r\n\r\n", status: [400] },
  { name: "a Host with a slash", send: "GET /x HTTP/1.1\r\nHost: a.test/x\r\n\r\n", status: [400] },
  { name: "an empty Host", send: "GET /x HTTP/1.1\r\nHost:\r\n\r\n", status: [404] },
  { name: "the beginning of TLS", send: "\x16\x03\x01\x02\x00\x01\x00", status: [400] },
  { name: "a NUL", send: get("/x", "X: a\0b\r\n"), status: [400] },
  { name: "a control character", send: get("/x", "X: a\u0001b\r\n"), status: [400] },
  { name: "a space before the colon", send: get("/x", "X : a\r\n"), status: [400] },
  { name: "an empty name", send: get("/x", ": a\r\n"), status: [400] },
  { name: "no colon", send: get("/x", "foo\r\n"), status: [400] },
  {
    name: "length and chunks",
    send: post("/x", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    status: [400],
  },
  {
    name: "two lengths that agree",
    send: post("/x", "Content-Length: 2\r\nContent-Length: 2\r\n", "hi"),
    status: [400],
  },
  {
    name: "two lengths that differ",
    send: post("/x", "Content-Length: 2\r\nContent-Length: 3\r\n", "hi"),
    status: [400],
  },
  { name: "a signed length", send: post("/x", "Content-Length: +2\r\n", "hi"), status: [400] },
  { name: "a list of lengths", send: post("/x", "Content-Length: 2, 2\r\n", "hi"), status: [400] },
  { name: "an empty length", send: post("/x", "Content-Length:\r\n"), status: [400] },
  {
    name: "a length past all bounds",
    send: post("/x", "Content-Length: 99999999999999999999\r\n"),
    status: [400],
  },
  {
    name: "gzip, chunked",
    send: post("/x", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    status: [501],
  },
  { name: "identity", send: post("/x", "Transfer-Encoding: identity\r\n"), status: [501] },
  {
    name: "chunked twice",
    send: post("/x", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    status: [501],
  },
  { name: "an empty coding", send: post("/x", "Transfer-Encoding:\r\n"), status: [501] },
  {
    name: "a coding after a vertical tab",
    send: post("/x", "Transfer-Encoding: \u000bchunked\r\n", "0\r\n\r\n"),
    status: [400],
  },
  { name: "an unknown method", send: `FOO /x HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a method in small letters", send: `get /x HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a method with a mark", send: `G@T /x HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a space in the target", send: `GET /x y HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a target without a slash", send: `GET x HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a target that is a query", send: `GET ?a HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [400] },
  { name: "a fragment", send: get("/x#frag"), status: [400] },
  { name: "bytes that are not ASCII in a target", send: get("/x\u00e9"), status: [400] },
  {
    name: "Connection naming X-Forwarded-For",
    send: get("/x", "Connection: x-forwarded-for\r\nX-Forwarded-For: 1.1.1.1\r\n"),
    status: [400],
  },
  {
    name: "a head that is too long",
    send: get("/x", `X: ${"a".repeat(70_000)}\r\n`),
    status: [431],
  },
  { name: "too many headers", send: get("/x", "X: a\r\n".repeat(101)), status: [431] },
  {
    name: "more headers than configured",
    listener: "plain",
    send: get("/x", "X: a\r\n".repeat(5)),
    status: [431],
  },
  {
    name: "a longer head than configured",
    listener: "plain",
    send: get("/x", `X: ${"a".repeat(1100)}\r\n`),
    status: [431],
  },
];
