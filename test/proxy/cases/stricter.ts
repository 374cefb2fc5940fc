import type { DifferentialCase } from "../differential-case.ts";
import { get, HOST_LINE, post } from "./request-text.ts";

const SMUGGLING = "what one parser accepts and another does not is how requests are smuggled";

/** Where weft is stricter than Envoy on purpose. */
export const STRICTER_CASES: readonly DifferentialCase[] = [
  {
    name: "HTTP/1.0 with chunks",
    listener: "http10",
    send: `POST /x HTTP/1.0\r\n${HOST_LINE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: [400],
    stricter: { envoy: [200], why: SMUGGLING },
  },
  {
    name: "lines that end with LF alone",
    send: "GET /x HTTP/1.1\nHost: a.test\n\n",
    status: [400],
    stricter: { envoy: [200], why: SMUGGLING },
  },
  {
    name: "a bare CR in a value",
    send: get("/x", "X: a\rb\r\n"),
    status: [400],
    stricter: { envoy: [200], why: SMUGGLING },
  },
  {
    name: "a folded line",
    send: get("/x", "X: a\r\n b\r\n"),
    status: [400],
    stricter: { envoy: [200], why: "RFC 9112 5.2 lets a server refuse it" },
  },
  {
    name: "two Hosts",
    send: `GET /x HTTP/1.1\r\n${HOST_LINE}${HOST_LINE}\r\n`,
    status: [400],
    stricter: { envoy: [404], why: "RFC 9112 3.2 asks for 400" },
  },
  {
    name: "two spaces in the first line",
    send: `GET  /x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [400],
    stricter: { envoy: [200], why: SMUGGLING },
  },
  {
    name: "tabs in the first line",
    send: `GET\t/x\tHTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [400],
    stricter: { envoy: [200], why: SMUGGLING },
  },
  {
    name: "Connection naming the length",
    send: post("/x", "Connection: content-length\r\nContent-Length: 2\r\n", "hi"),
    status: [400],
    stricter: { envoy: [200], why: "without its length the body would be framed anew" },
  },
];
