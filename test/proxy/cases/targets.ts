import type { DifferentialCase } from "../differential-case.ts";
import { get, HOST_LINE } from "./request-text.ts";

/** Targets and versions. */
export const TARGETS_CASES: readonly DifferentialCase[] = [
  {
    name: "an absolute target",
    send: `GET http://a.test/x?y HTTP/1.1\r\nHost: other\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target without a path",
    send: `GET http://a.test HTTP/1.1\r\nHost: other\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target without Host",
    send: `GET http://a.test/x HTTP/1.1\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target in capitals",
    send: `GET HTTP://A.test/x HTTP/1.1\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target with a user",
    send: `GET http://u:p@a.test/x HTTP/1.1\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target with a port",
    send: `GET http://a.test:80/x HTTP/1.1\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target of https",
    send: `GET https://a.test/x HTTP/1.1\r\nHost: z\r\n\r\n`,
    status: [200],
  },
  {
    name: "an absolute target of ftp",
    send: `GET ftp://a.test/x HTTP/1.1\r\nHost: z\r\n\r\n`,
    status: [400],
  },
  {
    name: "an absolute target with a port past all",
    send: `GET http://a.test:99999/x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [400],
  },
  { name: "OPTIONS *", send: `OPTIONS * HTTP/1.1\r\n${HOST_LINE}\r\n`, status: [404] },
  {
    name: "CONNECT without a route for it",
    send: "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n",
    status: [404],
  },
  {
    name: "CONNECT without a port",
    send: `CONNECT /x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [400],
  },
  {
    name: "an upgrade that is not allowed",
    send: get("/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    status: [403],
  },
  {
    name: "an upgrade that Connection does not name",
    send: get("/x", "Upgrade: websocket\r\n"),
    status: [200],
  },
  {
    name: "an upgrade to h2c",
    send: get(
      "/x",
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ),
    status: [200],
  },
  {
    name: "HTTP/1.0 where it is not accepted",
    send: `GET /x HTTP/1.0\r\n${HOST_LINE}\r\n`,
    status: [426],
  },
  { name: "HTTP/1.2", send: `GET /x HTTP/1.2\r\n${HOST_LINE}\r\n`, status: [426] },
  { name: "HTTP/2.0 in text", send: `GET /x HTTP/2.0\r\n${HOST_LINE}\r\n`, status: [426] },
  {
    name: "an absolute target with a query and no path",
    send: `GET http://a.test?x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [404],
  },
  {
    name: "an absolute target with two colons",
    send: `GET http://a.test::80/x HTTP/1.1\r\n${HOST_LINE}\r\n`,
    status: [400],
  },
  { name: "HTTP/0.9", send: "GET /x\r\n\r\n", status: [426] },
  {
    name: "HTTP/1.0",
    listener: "http10",
    send: `GET /x HTTP/1.0\r\n${HOST_LINE}\r\n`,
    status: [200],
  },
  {
    name: "HTTP/1.0 that keeps alive",
    listener: "http10",
    send: `GET /x HTTP/1.0\r\n${HOST_LINE}Connection: keep-alive\r\n\r\n`,
    status: [200],
  },
  {
    name: "HTTP/1.0 and an upstream's chunks",
    listener: "http10",
    send: `GET /chunked HTTP/1.0\r\n${HOST_LINE}\r\n`,
    status: [200],
  },
];
