import { exchangeRaw } from "./raw-exchange.ts";
import type { ScriptedUpstream } from "./scripted-upstream.ts";
import type { WireMessage } from "./wire-message.ts";

/** What a case did, without what may differ from run to run. */
export interface Outcome {
  readonly answers: readonly WireMessage[];
  readonly rest: string;
  readonly upstream: readonly WireMessage[];
}

/** What to send to one data plane. */
export interface OutcomeRequest {
  readonly port: number;
  readonly upstream: ScriptedUpstream;
  readonly parts: readonly string[];
  /** How many answers come, interim ones included. */
  readonly answers: number;
  /** The methods sent, when one of them is HEAD. */
  readonly methods?: readonly string[] | undefined;
  /** Headers of the answer that may differ. */
  readonly ignoredHeaders?: readonly string[] | undefined;
}

/** Sends the bytes and says what came of it, at both ends. */
export async function findOutcome(request: OutcomeRequest): Promise<Outcome> {
  const { port, upstream, parts, answers, methods, ignoredHeaders = [] } = request;
  upstream.requests.length = 0;
  const exchange = { port, parts, answers, ...(methods === undefined ? {} : { methods }) };
  const { messages, rest } = await exchangeRaw(exchange);
  return {
    answers: messages.map((message) => normalize(message, ignoredHeaders)),
    rest,
    upstream: upstream.requests.map((message) => normalize(message, [])),
  };
}

/** The statuses of all answers. */
export function statusesOf({ answers }: Outcome): readonly number[] {
  return answers.map(({ line }) => Number(line.split(" ")[1]));
}

/** Takes out what no two runs share, and the order of headers, which means nothing. */
function normalize(message: WireMessage, ignored: readonly string[]): WireMessage {
  const headers = message.headers
    .filter((header) => !ignored.some((name) => header.startsWith(`${name}:`)))
    .map((header) =>
      header
        .replace(/^date: .*/, "date: now")
        // A retry is told how much of the time is left.
        .replace(
          /^x-envoy-expected-rq-timeout-ms: (15000|14\d{3})$/,
          "x-envoy-expected-rq-timeout-ms: 15000 at most",
        )
        .replace(/^x-request-id: [\da-f-]{36}$/, "x-request-id: new")
        .replace(/^x-envoy-upstream-service-time: \d+$/, "x-envoy-upstream-service-time: some")
        // Each proxy listens on ports of its own.
        .replace(/^x-forwarded-port: \d+$/, "x-forwarded-port: some"),
    )
    .sort();
  const names = message.names?.toSorted();
  return { ...message, headers, ...(names === undefined ? {} : { names }) };
}
