import { get, HOST_LINE, post } from "../cases/request-text.ts";
import { group, type SmugglingCase } from "./smuggling-case.ts";

function first(line: string, lines = HOST_LINE): string {
  return `${line}\r\n${lines}\r\n`;
}

const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST_LINE}\r\n`;

const LINES = group("Request line", {
  "two blanks": first("GET  /x HTTP/1.1"),
  "two blanks before the version": first("GET /x  HTTP/1.1"),
  tabs: first("GET\t/x\tHTTP/1.1"),
  "a vertical tab": first("GET\u000b/x HTTP/1.1"),
  "a blank before": first(" GET /x HTTP/1.1"),
  "a blank behind": first("GET /x HTTP/1.1 "),
  "a CR behind": first("GET /x HTTP/1.1\r"),
  "an LF alone": `GET /x HTTP/1.1\n${HOST_LINE}\r\n`,
  "a CR alone": `GET /x HTTP/1.1\r${HOST_LINE}\r\n`,
  "a method in small letters": first("get /x HTTP/1.1"),
  "an unknown method": first("FOO /x HTTP/1.1"),
  "a colon in the method": first("GET: /x HTTP/1.1"),
  "no method": first("/x HTTP/1.1"),
  "HTTP/0.9": "GET /x\r\n",
  "HTTP/0.9 with headers": first("GET /x"),
  "HTTP/1.0": first("GET /x HTTP/1.0"),
  "HTTP/1.2": first("GET /x HTTP/1.2"),
  "HTTP/1.10": first("GET /x HTTP/1.10"),
  "HTTP/01.1": first("GET /x HTTP/01.1"),
  "HTTP/2.0": first("GET /x HTTP/2.0"),
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "http/1.1": first("GET /x http/1.1"),
  "HTTPS/1.1": first("GET /x HTTPS/1.1"),
  "HTTP/1,1": first("GET /x HTTP/1,1"),
  "a blank in the target": first("GET /x y HTTP/1.1"),
  "a tab in the target": first("GET /x\ty HTTP/1.1"),
  "a NUL in the target": first("GET /x\0 HTTP/1.1"),
  "0xe9 in the target": first("GET /x\u00e9 HTTP/1.1"),
  "0x7f in the target": first("GET /x\u007f HTTP/1.1"),
  "a fragment": first("GET /x#y HTTP/1.1"),
  "a target without a slash": first("GET x HTTP/1.1"),
  "a request within the target": first("GET /x HTTP/1.1 GET /smuggled HTTP/1.1"),
  "* of GET": first("GET * HTTP/1.1"),
  "empty lines before": `\r\n\r\n\r\n${get("/x")}`,
  "an LF before": `\n${get("/x")}`,
  "a CR before": `\r${get("/x")}`,
  "nothing but lines": "\r\n\r\n",
});

const FIELDS = group("Header fields", {
  "an empty name": get("/x", ": y\r\n"),
  "no colon": get("/x", "X\r\n"),
  "a blank before the colon": get("/x", "X : y\r\n"),
  "a blank in the name": get("/x", "X Y: z\r\n"),
  "a NUL in the name": get("/x", "X\0: y\r\n"),
  "0xe9 in the name": get("/x", "X\u00e9: y\r\n"),
  "a bracket in the name": get("/x", "X(Y): z\r\n"),
  "a NUL in the value": get("/x", "X: a\0b\r\n"),
  "an LF in the value": get("/x", "X: a\nb: c\r\n"),
  "a CR in the value": get("/x", "X: a\rb: c\r\n"),
  "a control character": get("/x", "X: a\u0001b\r\n"),
  "0x7f in the value": get("/x", "X: a\u007fb\r\n"),
  "a folded value": get("/x", "X: a\r\n b\r\n"),
  "a folded first header": `GET /x HTTP/1.1\r\n X: y\r\n${HOST_LINE}\r\n`,
  "a head that LFs end": "GET /x HTTP/1.1\nHost: a.test\n\n",
  "a head that LF CR LF ends": `GET /x HTTP/1.1\r\n${HOST_LINE}X: y\n\r\n`,
  "a head that CR LF LF ends": `GET /x HTTP/1.1\r\n${HOST_LINE}\n`,
  "a head that two CRs end": `GET /x HTTP/1.1\r\n${HOST_LINE}\r\r`,
  "a status line": get("/x", "HTTP/1.1 200 OK\r\n"),
  "a pseudo header": get("/x", ":path: /smuggled\r\n"),
  "Connection naming Host": get("/x", "Connection: host\r\n"),
  "Connection naming X-Forwarded-For": get("/x", "Connection: x-forwarded-for\r\n"),
  "Connection naming a pseudo header": get("/x", "Connection: :path\r\n"),
  "Connection naming Cookie": get("/x", "Connection: cookie\r\nCookie: a=b\r\n"),
});

const HOSTS = group("Host", {
  none: "GET /x HTTP/1.1\r\n\r\n",
  empty: "GET /x HTTP/1.1\r\nHost:\r\n\r\n",
  "two that agree": get("/x", HOST_LINE),
  "two that differ": get("/x", "Host: b.test\r\n"),
  "two, one empty": get("/x", "Host:\r\n"),
  "a blank before the colon": "GET /x HTTP/1.1\r\nHost : a.test\r\n\r\n",
  "a blank within": "GET /x HTTP/1.1\r\nHost: a.test b.test\r\n\r\n",
  "a comma within": "GET /x HTTP/1.1\r\nHost: a.test,b.test\r\n\r\n",
  "a tab within": "GET /x HTTP/1.1\r\nHost: a.test\tb\r\n\r\n",
  "a slash": "GET /x HTTP/1.1\r\nHost: a.test/y\r\n\r\n",
  "a user": "GET /x HTTP/1.1\r\nHost: a.test@b.test\r\n\r\n",
  "a query": "GET /x HTTP/1.1\r\nHost: a.test?y\r\n\r\n",
  "a fragment": "GET /x HTTP/1.1\r\nHost: a.test#y\r\n\r\n",
  "a backslash": "GET /x HTTP/1.1\r\nHost: a.test\\y\r\n\r\n",
  "a NUL": "GET /x HTTP/1.1\r\nHost: a.test\0\r\n\r\n",
  "0xe9": "GET /x HTTP/1.1\r\nHost: \u00e9.test\r\n\r\n",
  "a bad port": "GET /x HTTP/1.1\r\nHost: a.test:x\r\n\r\n",
  "a port past all": "GET /x HTTP/1.1\r\nHost: a.test:99999\r\n\r\n",
  percent: "GET /x HTTP/1.1\r\nHost: a%2etest\r\n\r\n",
  "a target that says otherwise": "GET http://a.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n",
  "a target that says otherwise, no Host": "GET http://a.test/x HTTP/1.1\r\n\r\n",
  "a target that says otherwise, two Hosts":
    "GET http://a.test/x HTTP/1.1\r\nHost: b.test\r\nHost: c.test\r\n\r\n",
  "a target with an empty host": "GET http:///x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target with a user": "GET http://b.test@a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target with two ats": "GET http://b@c@a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target with a comma": "GET http://a,b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target with a bracket": "GET http://[a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target with a backslash": "GET http://a.test\\@b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target of another scheme": "GET ftp://a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target of two slashes": "GET //b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a target of one slash": "GET http:/a.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
});

const EXPECT = group("Expect", {
  "100-continue": post("/x", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
  "a blank behind": post("/x", "Expect: 100-continue \r\nContent-Length: 5\r\n", "hello"),
  "in capitals": post("/x", "Expect: 100-CONTINUE\r\nContent-Length: 5\r\n", "hello"),
  "another word": post("/x", "Expect: 100-continue, x\r\nContent-Length: 5\r\n", "hello"),
  "a letter before": post("/x", "Expect: x100-continue\r\nContent-Length: 5\r\n", "hello"),
  "of GET without a body": get("/x", "Expect: 100-continue\r\n"),
  "of GET with a body": `${get("/x", "Expect: 100-continue\r\nContent-Length: 5\r\n")}hello`,
  "of a length of 0": post("/x", "Expect: 100-continue\r\nContent-Length: 0\r\n"),
  folded: post("/x", "Expect:\r\n 100-continue\r\nContent-Length: 5\r\n", "hello"),
  "and chunks": post("/x", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
});

const UPGRADES = group("Upgrade and CONNECT", {
  h2c: get("/x", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
  "h2c without its settings": get("/x", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),
  "h2c with a body": post(
    "/x",
    "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n",
    "hello",
  ),
  "h2c and websocket": get("/x", "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"),
  "websocket, not allowed": get("/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
  "websocket, not allowed, with a body": post(
    "/x",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n",
    "hello",
  ),
  "websocket without Connection": get("/x", "Upgrade: websocket\r\n"),
  "another word": get("/x", "Connection: Upgrade\r\nUpgrade: foo\r\n"),
  "an empty word": get("/x", "Connection: Upgrade\r\nUpgrade:\r\n"),
  "two headers, h2c last": get("/x", "Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: h2c\r\n"),
  "TLS/1.0": get("/x", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"),
  CONNECT: `CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n${SMUGGLED}`,
  "CONNECT with a length":
    "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
  "CONNECT with a length of 0":
    "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
  "CONNECT with chunks":
    "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "CONNECT without a port": "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "CONNECT with a path": "CONNECT /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "CONNECT with a scheme": "CONNECT http://a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "CONNECT with another Host": "CONNECT a.test:80 HTTP/1.1\r\nHost: b.test\r\n\r\n",
});

/** What a request is, and for whom. */
export const HEAD_CASES: readonly SmugglingCase[] = [
  ...LINES,
  ...FIELDS,
  ...HOSTS,
  ...EXPECT,
  ...UPGRADES,
];
