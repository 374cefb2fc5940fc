import { get } from "../cases/request-text.ts";
import type { SmugglingCase } from "./smuggling-case.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

function chunked(body: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
}

const ANSWERS: Readonly<Record<string, string>> = {
  good: OK,
  "a response behind": OK + EVIL,
  "one byte behind": `${OK}x`,
  "an empty line behind": `${OK}\r\n`,
  "an empty line before": `\r\n${OK}`,
  "two lengths that agree": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi`,
  "two lengths that differ": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nhi${EVIL}`,
  "a list of lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
  "a signed length": "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
  "a negative length": "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
  "an empty length": "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi",
  "a length past all": "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nhi",
  "length and chunks":
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "an unknown coding": `HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`,
  "gzip, chunked": `HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "a tab behind chunked": `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`,
  "a vertical tab before chunked": `HTTP/1.1 200 OK\r\nTransfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n`,
  "chunked twice":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "HTTP/1.0 with chunks": `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks with an extension": chunked("2;a=b\r\nhi\r\n0\r\n\r\n"),
  "a bad chunk": chunked("x\r\nhi\r\n0\r\n\r\n"),
  "a chunk past all": chunked("10000000000000002\r\nhi\r\n0\r\n\r\n"),
  "a chunk that an LF ends": chunked("2\nhi\r\n0\r\n\r\n"),
  "a trailer that frames": chunked("2\r\nhi\r\n0\r\nContent-Length: 50\r\n\r\n"),
  "a response behind chunks": chunked(`0\r\n\r\n${EVIL}`),
  "204 with a length": `HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil`,
  "204 with chunks": "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "204 with a body": "HTTP/1.1 204 No Content\r\n\r\nevil",
  "304 with a body": "HTTP/1.1 304 Not Modified\r\n\r\nevil",
  "304 with a length and a body": "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
  "304 with chunks":
    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
  "205 with a body": `HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nhi`,
  "100 that nobody asked for": `HTTP/1.1 100 Continue\r\n\r\n${OK}`,
  "102": `HTTP/1.1 102 Processing\r\n\r\n${OK}`,
  "103": `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`,
  "103 with a length": `HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nevil${OK}`,
  "100 with chunks": `HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n${OK}`,
  "101 that nobody asked for": `HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${OK}`,
  "fifty times 103": `HTTP/1.1 103 Early Hints\r\n\r\n`.repeat(50) + OK,
  "status 0": "HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status 99": "HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status 099": "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status 600": "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status 999": "HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status 1000": "HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\nhi",
  "status of letters": "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nhi",
  "a signed status": "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nhi",
  "two blanks before the status": "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "a tab before the status": "HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "no reason": "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
  "a reason of blanks": "HTTP/1.1 200   \r\nContent-Length: 2\r\n\r\nhi",
  "a NUL in the reason": "HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nhi",
  "a CR in the reason": "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nhi",
  "0xe9 in the reason": "HTTP/1.1 200 \u00e9\r\nContent-Length: 2\r\n\r\nhi",
  "HTTP/2.0": "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "HTTP/1.2": "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  ICY: "ICY 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "HTTP/0.9": "<html>hi</html>\r\n\r\n",
  "lines that LFs end": "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
  "an LF in a value": "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi",
  "a CR in a value": "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi",
  "a NUL in a value": "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nhi",
  "a folded value": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
  "a blank before a colon": "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
  "no colon": "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nhi",
  "an empty name": "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\nhi",
  "a pseudo header": "HTTP/1.1 200 OK\r\n:status: 500\r\nContent-Length: 2\r\n\r\nhi",
  "Connection: close, then more": `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi${EVIL}`,
};

/** Answers that could be taken for those of others. */
export const RESPONSE_CASES: readonly SmugglingCase[] = [
  ...Object.entries(ANSWERS).map(([name, answer]) => ({
    group: "Responses",
    name,
    send: get("/bad"),
    answer,
  })),
  ...["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", chunked("5\r\nhi"), OK.slice(0, 20)].map(
    (answer, at) => ({
      group: "Responses",
      name: ["cut in its body", "cut in a chunk", "cut in its head"][at] ?? "",
      send: get("/bad"),
      answer,
      ends: true,
    }),
  ),
];
