/** What a server of a test does with requests, from now on. */
export interface Behaviour {
  /** 200 when absent. */
  readonly status?: number;
  /** Before the head of the answer. */
  readonly delayMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** How far the answer comes: all of it when absent. */
  readonly answer?: "whole" | "half" | "none";
  /** What becomes of the connection behind it; it is kept when absent. */
  readonly end?: "fin" | "reset";
  /** Connections are refused, or not answered at all; those that stand go on. */
  readonly door?: "open" | "refuses" | "silent";
}

const BODY = "halfhalf";
/** Where an answer that stays half ends. */
const HALF = 4;

/** The bytes of an answer, Latin-1; "" for none. */
export function answerText(
  behaviour: Behaviour,
  headers: Readonly<Record<string, string>>,
): string {
  const { status = 200, answer = "whole", end } = behaviour;
  if (answer === "none") return "";
  const fields = {
    "content-length": String(BODY.length),
    ...(end === undefined ? {} : { connection: "close" }),
    ...headers,
    ...behaviour.headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const body = answer === "half" ? BODY.slice(0, HALF) : BODY;
  return `HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n${body}`;
}

/** A request as far as servers of tests read it. */
export interface TestRequest {
  /** All of its head, without the empty line. */
  readonly head: string;
  /** What is behind it in the text. */
  readonly rest: string;
}

const HEAD_END = "\r\n\r\n";

/** The first request of a text, with its body; `undefined` while it is not whole. */
export function takeRequest(text: string): TestRequest | undefined {
  const end = text.indexOf(HEAD_END);
  if (end === -1) return undefined;
  const head = text.slice(0, end);
  const from = end + HEAD_END.length + Number(headerOf(head, "content-length") ?? 0);
  return text.length < from ? undefined : { head, rest: text.slice(from) };
}

/** A header of a head by its name in lower case. */
export function headerOf(head: string, name: string): string | undefined {
  const prefix = `${name}:`;
  const line = head.split("\r\n").find((one) => one.toLowerCase().startsWith(prefix));
  return line?.slice(prefix.length).trim();
}
