import type { Prng } from "../../base/prng.ts";
import { isWithin } from "../../match/fraction.ts";
import type { Sampling } from "../../match/route-tracing.ts";
import { currentFraction, type RuntimeReader } from "../../match/runtime-reader.ts";
import type { HeaderList } from "../http/header-list.ts";

/** Why a request is traced or not, as it is counted under `http.<prefix>.tracing`. */
export type TraceReason = "client_enabled" | "service_forced" | "random_sampling" | "not_traceable";

/** How request IDs and traces go together (`UuidRequestIdConfig`). */
export interface RequestIdOptions {
  /** Whether the reason is noted in the request's ID, for those that get it next. */
  readonly packsReason: boolean;
  /** Whether the ID decides; if not, everything is traced as far as the tracer is concerned. */
  readonly samplesById: boolean;
}

/** Where a UUID says that it is random; Envoy writes the reason in its place. */
const REASON_AT = 14;
const UUID_LENGTH = 36;
const DIGITS: Readonly<Record<TraceReason, string>> = {
  client_enabled: "b",
  service_forced: "a",
  random_sampling: "9",
  not_traceable: "4",
};
const REASONS = new Map(
  Object.entries(DIGITS).map(([reason, digit]) => [digit, reason as TraceReason]),
);

/** What the decision depends on, besides the headers. */
export interface DecisionContext {
  readonly sampling: Sampling;
  readonly runtime: RuntimeReader;
  readonly prng: Prng;
}

/**
 * Decides by the request's ID, in Envoy's order: what was decided upstream of here, what the client
 * or a service asks for, chance; and over all of them the overall sampling.
 */
export function decideTrace(
  headers: HeaderList,
  { packsReason, samplesById }: RequestIdOptions,
  { sampling, runtime, prng }: DecisionContext,
): TraceReason {
  if (!samplesById) return "random_sampling";
  const id = headers.first("x-request-id") ?? "";
  const number = numberOf(id);
  if (number === undefined) return "not_traceable";
  const packed = id.length === UUID_LENGTH ? REASONS.get(id[REASON_AT] ?? "") : undefined;
  let reason = packed ?? "not_traceable";
  if (reason === "not_traceable") {
    const isClients =
      headers.has("x-client-trace-id") &&
      isWithin(
        Math.floor(prng.next() * 1_000_000),
        currentFraction("tracing.client_enabled", sampling.client, runtime),
      );
    const random = currentFraction("tracing.random_sampling", sampling.random, runtime);
    if (isClients) reason = "client_enabled";
    else if (headers.has("x-envoy-force-trace")) reason = "service_forced";
    else if (isWithin(number, random)) reason = "random_sampling";
    else return "not_traceable";
  }
  const overall = currentFraction("tracing.global_enabled", sampling.overall, runtime);
  if (!isWithin(number, overall)) reason = "not_traceable";
  if (packsReason && reason !== packed && id.length === UUID_LENGTH) {
    headers.set("x-request-id", withReason(id, reason));
  }
  return reason;
}

/** So many hexadecimal digits at its beginning are a number. */
const NUMBER_DIGITS = 8;

/** What stands for the request where something concerns so many of ten thousand. */
function numberOf(id: string): number | undefined {
  let number = 0;
  for (let at = 0; at < NUMBER_DIGITS; at++) {
    const digit = digitOf(id.charCodeAt(at));
    if (digit === -1) return undefined;
    number = number * 16 + digit;
  }
  return number % 10_000;
}

/** -1 for what is no hexadecimal digit, such as the end of a text. */
function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function withReason(id: string, reason: TraceReason): string {
  return id.substring(0, REASON_AT) + DIGITS[reason] + id.substring(REASON_AT + 1);
}

/** The ID of a stranger's request, which must not ask for a trace. */
export function withoutReason(id: string): string {
  return id.length === UUID_LENGTH ? withReason(id, "not_traceable") : id;
}
