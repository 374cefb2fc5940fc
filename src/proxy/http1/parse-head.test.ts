import { describe, expect, test } from "vitest";
import { RequestHead, ResponseHead } from "../http/message-head.ts";
import { type HeadLimits, parseRequestHead, parseResponseHead } from "./parse-head.ts";

const LIMITS: HeadLimits = {
  headBytesMax: 61_440,
  headerCountMax: 100,
  underscores: "allow",
  acceptsHttp10: false,
  defaultHost10: "",
  takesAbsoluteUrl: true,
  allowsChunkedLength: false,
};

function parse(text: string, limits: Partial<HeadLimits> = {}) {
  const head = new RequestHead();
  const error = parseRequestHead(text, head, { ...LIMITS, ...limits });
  return { head, status: error?.status, detail: error?.detail };
}

function get(lines: string, start = "GET /x HTTP/1.1"): ReturnType<typeof parse> {
  return parse(`${start}\r\nHost: a.test\r\n${lines}\r\n`);
}

describe("parseRequestHead()", () => {
  test("reads the line, the host and the headers in lower case and in order", () => {
    const { head, status } = get("User-Agent: Foo\r\nX-Odd_Name:  a b \t\r\nEmpty:\r\n");
    expect(status).toBeUndefined();
    expect(head).toMatchObject({ method: "GET", path: "/x", authority: "a.test", minor: 1 });
    expect(head.headers.encode()).toBe("user-agent: Foo\r\nx-odd_name: a b\r\nempty: \r\n");
  });

  test("keeps what concerns this hop out of the list", () => {
    const { head } = get(
      "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip, trailers\r\n" +
        "Proxy-Connection: close\r\nUpgrade: foo\r\n",
    );
    expect(head.headers.encode()).toBe("te: trailers\r\n");
    expect(head).toMatchObject({ wantsKeepAlive: true, wantsClose: true, upgrade: "" });
    expect(head.hasInternalHeaders).toBe(false);
  });

  test("notes headers that only those inside may set", () => {
    const { head } = get("X-Envoy-Retry-On: 5xx\r\n");
    expect(head.headers.encode()).toBe("x-envoy-retry-on: 5xx\r\n");
    expect(head.hasInternalHeaders).toBe(true);
  });

  test("reads an upgrade only when Connection names it", () => {
    expect(get("Connection: Upgrade\r\nUpgrade: websocket\r\n").head.upgrade).toBe("websocket");
    expect(get("Upgrade: websocket\r\n").head.upgrade).toBe("");
  });

  const targets = [
    ["GET http://b.test/y?z HTTP/1.1", "b.test", "/y?z"],
    ["GET HTTP://b.test:80 HTTP/1.1", "b.test:80", "/"],
    ["GET http://u:p@b.test/y HTTP/1.1", "b.test", "/y"],
    ["GET https://b.test?q=1 HTTP/1.1", "b.test", "?q=1"],
    ["OPTIONS * HTTP/1.1", "a.test", "*"],
  ] as const;
  test.each(targets)("takes host and path from %s", (line, authority, path) => {
    const { head, status } = get("", line);
    expect(status).toBeUndefined();
    expect(head).toMatchObject({ authority, path });
  });

  const badLines = [
    ["GET /x y HTTP/1.1", 400],
    ["GET  /x HTTP/1.1", 400],
    ["GET\t/x HTTP/1.1", 400],
    ["GET x HTTP/1.1", 400],
    ["GET * HTTP/1.1", 400],
    ["GET ?a HTTP/1.1", 400],
    ["GET /x\u00e9 HTTP/1.1", 400],
    ["GET /x#f HTTP/1.1", 400],
    ["GET ftp://b.test/ HTTP/1.1", 400],
    ["GET http:///x HTTP/1.1", 400],
    ["GET http://b.test:99999/ HTTP/1.1", 400],
    ["GET http://b test/ HTTP/1.1", 400],
    ["G@T /x HTTP/1.1", 400],
    ["get /x HTTP/1.1", 400],
    ["GET /x http/1.1", 400],
    ["GET /x HTTP/1.10", 400],
    [" GET /x HTTP/1.1", 400],
    ["GET /x HTTP/1.0", 426],
    ["GET /x HTTP/1.2", 426],
    ["GET /x HTTP/2.0", 426],
    ["GET /x", 426],
    ["CONNECT /x HTTP/1.1", 400],
    ["CONNECT a.test HTTP/1.1", 400],
    ["CONNECT u@a.test:443 HTTP/1.1", 400],
    ["CONNECT :443 HTTP/1.1", 400],
  ] as const;
  test.each(badLines)("refuses the line %j", (line, status) => {
    expect(get("", line).status).toBe(status);
  });

  const badFields = [
    ["a bare CR", "X: a\rb\r\n"],
    ["a bare LF", "X: a\nY: b\r\n"],
    ["a folded line", "X: a\r\n b\r\n"],
    ["a NUL", "X: a\0b\r\n"],
    ["a control character", "X: a\u0001b\r\n"],
    ["a DEL", "X: a\u007fb\r\n"],
    ["a space before the colon", "X : a\r\n"],
    ["an empty name", ": a\r\n"],
    ["no colon", "foo\r\n"],
    ["a second Host", "Host: b.test\r\n"],
    ["two lengths that agree", "Content-Length: 2\r\nContent-Length: 2\r\n"],
    ["two lengths that differ", "Content-Length: 2\r\nContent-Length: 3\r\n"],
    ["a list of lengths", "Content-Length: 2, 2\r\n"],
    ["a signed length", "Content-Length: +2\r\n"],
    ["an empty length", "Content-Length:\r\n"],
    ["a length past all bounds", "Content-Length: 99999999999999999999\r\n"],
    ["a hexadecimal length", "Content-Length: 0x2\r\n"],
    ["length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"],
    ["chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"],
    ["a vertical tab in the coding", "Transfer-Encoding: \u000bchunked\r\n"],
    ["Connection naming Host", "Connection: host\r\n"],
    ["Connection naming a length", "Connection: content-length\r\nContent-Length: 2\r\n"],
    ["Connection naming X-Forwarded-For", "Connection: x-forwarded-for\r\n"],
  ] as const;
  test.each(badFields)("refuses %s", (_what, lines) => {
    expect(get(lines).status).toBe(400);
  });

  const badCodings = ["gzip, chunked", "identity", "chunked, chunked", "", "chunkedx"];
  test.each(badCodings)("answers 501 to the transfer coding %j", (coding) => {
    expect(get(`Transfer-Encoding: ${coding}\r\n`).status).toBe(501);
  });

  test("answers 501 to a coding given twice", () => {
    const twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    expect(get(twice).status).toBe(501);
  });

  test("counts headers", () => {
    expect(get("X: a\r\n".repeat(99)).status).toBeUndefined();
    expect(get("X: a\r\n".repeat(100)).status).toBe(431);
  });

  test.each(["a test", "a/b", "a?b", "a\\b", "a<b", "\u00e4"])("refuses the host %j", (host) => {
    expect(parse(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`).status).toBe(400);
  });

  test("asks for a host, or has one for HTTP/1.0", () => {
    expect(parse("GET /x HTTP/1.1\r\n\r\n").detail).toBe("missing_host_header");
    const old = "GET /x HTTP/1.0\r\n\r\n";
    expect(parse(old, { acceptsHttp10: true }).detail).toBe("missing_host_header");
    const { head, status } = parse(old, { acceptsHttp10: true, defaultHost10: "d.test" });
    expect(status).toBeUndefined();
    expect(head).toMatchObject({ minor: 0, authority: "d.test" });
  });

  test("refuses chunks of HTTP/1.0", () => {
    const text = "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(parse(text, { acceptsHttp10: true }).status).toBe(400);
  });

  test("forgets the message before", () => {
    const head = new RequestHead();
    const first =
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\n";
    expect(parseRequestHead(first, head, LIMITS)).toBeUndefined();
    expect(parseRequestHead("GET /b HTTP/1.1\r\nHost: b\r\n\r\n", head, LIMITS)).toBeUndefined();
    const fresh = parse("GET /b HTTP/1.1\r\nHost: b\r\n\r\n").head;
    const facts = (one: RequestHead): object =>
      Object.assign({}, one, { headers: one.headers.encode() });
    expect(facts(head)).toEqual(facts(fresh));
  });
});

describe("parseResponseHead()", () => {
  function parseResponse(text: string) {
    const head = new ResponseHead();
    return { head, error: parseResponseHead(text, head, LIMITS) };
  }

  test("reads status, version and headers", () => {
    const { head, error } = parseResponse(
      "HTTP/1.0 404 Not\u00e9 Found\r\nConnection: keep-alive\r\nX-A: b\r\n\r\n",
    );
    expect(error).toBeUndefined();
    expect(head).toMatchObject({ status: 404, minor: 0, wantsKeepAlive: true });
    expect(head.headers.encode()).toBe("x-a: b\r\n");
  });

  test.each(["HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n\r\n"])("needs no reason: %j", (text) => {
    expect(parseResponse(text).error).toBeUndefined();
  });

  const bad = [
    "garbage\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 200 O\u0001K\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
  ];
  test.each(bad)("refuses %j", (text) => {
    expect(parseResponse(text).error).toBeDefined();
  });
});
