import type { Prng } from "../../src/base/prng.ts";

/** What a generated stream of messages is. */
export type Kind = "request" | "response";

const METHODS = [
  "GET",
  "POST",
  "HEAD",
  "PUT",
  "GET",
  "POST",
  "OPTIONS",
  "DELETE",
  "PATCH",
  "CONNECT",
];
const ODD_METHODS = [
  "get",
  "FOO",
  "G@T",
  "",
  "GET\t",
  "BIND",
  "M-SEARCH",
  "PRI",
  "POST\0",
  "CONNECT",
];
const TARGETS = ["/", "/x", "/a/b?c=d", "*", "http://a.test/x", "a.test:80", "/%00%0d%0a", "//x"];
const ODD_TARGETS = [
  "/x y",
  "/x\t",
  "",
  "x",
  "http://a.test:99999/",
  "http://u@a.test?x",
  "/\u00e9",
  "/#f",
  "/x\u000b",
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"];
const ODD_VERSIONS = ["HTTP/2.0", "HTTP/1.2", "HTTP/1.", "http/1.1", "HTTP/1.1 ", "HTTP/01.1", ""];
const STATUSES = ["200 OK", "200", "404 Not Found", "304 Not Modified", "204 No Content", "500 x"];
const ODD_STATUSES = [
  "100 Continue",
  "101 Switch",
  "103 Hints",
  "20",
  "2000",
  "099",
  "abc",
  "200\t",
];

const LINES = [
  "Host: a.test",
  "User-Agent: fuzz",
  "Accept: */*",
  "X-Request-Id: 1",
  "Cookie: a=b; c=d",
  "Connection: close",
  "Connection: keep-alive",
  "X-Long: 0123456789012345678901234567890123456789",
  "X-Blank:",
  "X-Obs: \u00e9\u00ff",
];
const FRAMING_LINES = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: 05",
  "Content-Length: +5",
  "Content-Length: -1",
  "Content-Length: 0x5",
  "Content-Length: 5, 5",
  "Content-Length: 5 ",
  "Content-Length : 5",
  "Content-Length: 99999999999999999999",
  "Content-Length:\t5",
  "Content-Length:",
  "Content-Length: 5\u000b",
  "Content_Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: CHUNKED",
  "Transfer-Encoding: chunked, identity",
  "Transfer-Encoding: identity, chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding:\tchunked",
  "Transfer-Encoding: chunked\t",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding:\u000bchunked",
  "Transfer-Encoding: \u000cchunked",
  "Transfer-Encoding: chunked,",
  "Transfer-Encoding: ,chunked",
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding:",
  "Transfer-Encoding: identity",
  " Transfer-Encoding: chunked",
  "X: y\r\n Transfer-Encoding: chunked",
  "X: y\rTransfer-Encoding: chunked",
  "X: y\nTransfer-Encoding: chunked",
  "Transfer-Encoding:\r\n chunked",
  "Transfer\0-Encoding: chunked",
  "Connection: upgrade\r\nUpgrade: h2c",
  "Connection: upgrade\r\nUpgrade: websocket",
  "Connection: close, te\r\nTE: trailers",
  "Connection: content-length",
  "Connection: transfer-encoding",
  "Connection: host",
  "Connection: x-long",
  "Host: b.test",
  "Host: a.test, b.test",
  "Host: a b",
  "Host:",
  "Expect: 100-continue",
  "Trailer: X-T",
  ": x",
  "no colon",
  "",
];
const CHUNK_SIZES = ["5", "05", "0005", "a", "A", "0x5", " 5", "+5", "-5", "", "5 ", "5\t", "G"];
const HUGE_SIZES = [
  "ffffffffffffffff",
  "10000000000000005",
  "100000000000000000000000000000005",
  "7fffffffffffffff",
];
const EXTENSIONS = [";a", ";a=b", ';a="b c"', "; a=b", ";", ";\n", ";a\rb", ";\0", " ;a", " x"];
const TRAILERS = ["X-T: 1", "Content-Length: 5", "Transfer-Encoding: chunked", "x", ": y", " z"];
const LINE_ENDS = ["\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n", ""];
const BYTES = '\r\n\t \0:;,"\u000b\u007f\u0080\u00ff0a/';

/** Chance in the shapes that a generator needs. */
class Dice {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** A whole number in [0, below). */
  number(below: number): number {
    return Math.floor(this.#prng.next() * below);
  }

  isOneIn(count: number): boolean {
    return this.number(count) === 0;
  }

  pick(from: readonly string[] | string): string {
    return from[this.number(from.length)] ?? "";
  }
}

/**
 * A stream of one to three messages, mostly right with something wrong in it: what is wholly random
 * never gets past the first line. Latin-1: one character for each byte.
 */
export function generateInput(kind: Kind, prng: Prng): string {
  const dice = new Dice(prng);
  let text = dice.isOneIn(12) ? dice.pick(["\r\n", "\n", "\r", "\r\n\r\n", " "]) : "";
  for (let left = 1 + dice.number(3); left > 0; left--) text += generateMessage(kind, dice);
  for (let left = dice.isOneIn(3) ? 1 + dice.number(3) : 0; left > 0; left--) {
    text = mutate(text, dice);
  }
  return text;
}

function generateMessage(kind: Kind, dice: Dice): string {
  const isOdd = dice.isOneIn(8);
  const version = dice.pick(isOdd && dice.isOneIn(2) ? ODD_VERSIONS : VERSIONS);
  const first =
    kind === "request"
      ? `${dice.pick(isOdd ? ODD_METHODS : METHODS)} ${dice.pick(isOdd ? ODD_TARGETS : TARGETS)} ${version}`
      : `${version} ${dice.pick(isOdd ? ODD_STATUSES : STATUSES)}`;
  const lines = [first];
  if (kind === "request" && !dice.isOneIn(10)) lines.push("Host: a.test");
  // Seldom more than a head may hold.
  const most = dice.isOneIn(40) ? 200 : 4;
  for (let left = dice.number(most); left > 0; left--) lines.push(dice.pick(LINES));
  if (dice.isOneIn(4)) lines.push(dice.pick(FRAMING_LINES));
  const body = generateBody(lines, dice);
  let text = "";
  for (const line of [...lines, ""])
    text += line + (dice.isOneIn(60) ? dice.pick(LINE_ENDS) : "\r\n");
  return text + body;
}

/** A body with the header that says how long it is, somewhere among the lines. */
function generateBody(lines: string[], dice: Dice): string {
  const how = dice.number(5);
  if (how < 2) return dice.isOneIn(6) ? "hello" : "";
  const at = 1 + dice.number(lines.length);
  if (how === 2) {
    const body = "GET /smuggled HTTP/1.1\r\nHost: b.test\r\n\r\n".substring(0, dice.number(40));
    lines.splice(at, 0, `Content-Length: ${body.length}`);
    return body;
  }
  lines.splice(at, 0, "Transfer-Encoding: chunked");
  let body = "";
  for (let left = dice.number(3); left > 0; left--) body += generateChunk(dice);
  body += `0${dice.isOneIn(8) ? dice.pick(EXTENSIONS) : ""}\r\n`;
  if (dice.isOneIn(4)) body += `${dice.pick(TRAILERS)}\r\n`;
  return `${body}\r\n`;
}

function generateChunk(dice: Dice): string {
  const size = 1 + dice.number(20);
  const isOdd = dice.isOneIn(10);
  const text = isOdd
    ? dice.pick(dice.isOneIn(3) ? HUGE_SIZES : CHUNK_SIZES)
    : size.toString(16) + (dice.isOneIn(8) ? dice.pick(EXTENSIONS) : "");
  return `${text}\r\n${"0\r\nX".repeat(6).substring(0, isOdd ? 5 : size)}\r\n`;
}

function mutate(text: string, dice: Dice): string {
  const at = dice.number(text.length + 1);
  const end = Math.min(text.length, at + 1 + dice.number(dice.isOneIn(4) ? 40 : 3));
  switch (dice.number(5)) {
    case 0:
      return text.substring(0, at) + text.substring(end);
    case 1:
      return text.substring(0, end) + text.substring(at);
    case 2:
      return text.substring(0, at) + dice.pick(BYTES) + text.substring(at);
    case 3:
      return text.substring(0, at) + dice.pick(BYTES) + text.substring(at + 1);
    default:
      return text.substring(0, at) + dice.pick(FRAMING_LINES) + text.substring(at);
  }
}

/** Where to cut an input into reads: everywhere, nowhere, or at some places. */
export function generateCuts(length: number, prng: Prng): readonly number[] {
  const dice = new Dice(prng);
  if (dice.isOneIn(3)) return Array.from({ length: Math.max(0, length - 1) }, (_, at) => at + 1);
  const cuts = new Set<number>();
  for (let left = 1 + dice.number(5); left > 0; left--) cuts.add(dice.number(length + 1));
  return [...cuts].sort((one, other) => one - other);
}
