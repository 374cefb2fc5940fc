import { describe, expect, test } from "vitest";
import { inspectHttp } from "./http-inspector.ts";

/** Each as Envoy's inspector finds it. */
const TABLE: readonly (readonly [text: string, found: string])[] = [
  ["GET / HTTP/1.1\r\n\r\n", "http/1.1"],
  ["GET / HTTP/1.0\r\n", "http/1.0"],
  ["FOO / HTTP/1.1\r\n", "http/1.1"],
  ["get / HTTP/1.1\r\n", "http/1.1"],
  ["GET  / HTTP/1.1 \r\n", "http/1.1"],
  ["POST http://a/ HTTP/1.1\nHost: a\n\n", "http/1.1"],
  ["GET /\r\n", "http/1.0"],
  ["GET / HTTP/2.0\r\n", "http/1.0"],
  ["GET / HTTP/1.2\r\n", "http/1.0"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c"],
  ["PRI * HTTP/2.0\r\n\r\nSM", "more"],
  ["GET / HTTP/1.1", "more"],
  ["GE", "more"],
  ["\0\u0001\u0002\u0003", "none"],
  ["hello\r\n", "none"],
  [" GET / HTTP/1.1\r\n", "none"],
  ["\r\nGET / HTTP/1.1\r\n", "none"],
  ["GET / http/1.1\r\n", "none"],
  ["GET / HTTP/1\r\n", "none"],
  ["GET /a b HTTP/1.1\r\n", "none"],
];

describe("inspectHttp()", () => {
  test.each(TABLE)("finds in %j: %s", (text, found) => {
    expect(inspectHttp(Buffer.from(text, "latin1"))).toBe(found);
  });
});
