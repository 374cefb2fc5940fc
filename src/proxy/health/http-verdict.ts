import type { Prng } from "../../base/prng.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH_FLAG } from "../cluster/host-health.ts";
import type { ResponseHead } from "../http/message-head.ts";
import type { HttpCheckConfig, StatusRange } from "./health-config.ts";
import type { HealthStats, ProbeSink } from "./health-session.ts";
import { IMMEDIATE_FAIL } from "./immediate-fail.ts";
import { PayloadMatch } from "./payload-match.ts";

const DEGRADED = "x-envoy-degraded";
const SERVICE = "x-envoy-upstream-healthchecked-cluster";

/** What the verdicts of one cluster share. */
export interface VerdictDeps {
  readonly check: HttpCheckConfig;
  readonly stats: HealthStats;
  readonly prng: Prng;
  readonly runtime: RuntimeReader;
}

/** Finds out by a host's answers over HTTP, of whichever version, how it does; one at a time. */
export class HttpVerdict {
  readonly #host: Host;
  readonly #deps: VerdictDeps;
  readonly #sink: ProbeSink;
  readonly #match: PayloadMatch;
  #bodyBytes = 0;

  constructor(host: Host, deps: VerdictDeps, sink: ProbeSink) {
    this.#host = host;
    this.#deps = deps;
    this.#sink = sink;
    this.#match = new PayloadMatch(deps.check.receive);
  }

  /** A check begins. */
  reset(): void {
    this.#bodyBytes = 0;
    this.#match.reset();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    const { receive, bodyBytesMax } = this.#deps.check;
    if (receive.length === 0) return;
    const left = bodyBytesMax === 0 ? to - from : bodyBytesMax - this.#bodyBytes;
    const end = Math.min(to, from + left);
    this.#bodyBytes += end - from;
    if (end > from) this.#match.push(buffer.subarray(from, end));
  }

  /** The answer is complete: says what it means. */
  judge({ status, headers }: ResponseHead): void {
    const { check, stats } = this.#deps;
    if (!this.#match.isWhole || !isWithin(check.expected, status)) {
      // What it says of itself in an answer that is as it should be does not count.
      if (headers.has(IMMEDIATE_FAIL)) {
        this.#host.setFlag(HEALTH_FLAG.excludedViaImmediateHcFail, true);
      }
      const isRetriable = this.#match.isWhole && isWithin(check.retriable, status);
      this.#sink.onFailure("ACTIVE", isRetriable, status);
      return;
    }
    const { serviceName } = check;
    if (serviceName !== undefined && this.#verifiesName()) {
      stats.verify_cluster++;
      if (!serviceName(headers.first(SERVICE) ?? "")) {
        this.#sink.onFailure("ACTIVE", false, status);
        return;
      }
    }
    this.#sink.onSuccess(headers.has(DEGRADED));
  }

  /** There was no answer, or not all of it. */
  onBroken(): void {
    this.#sink.onFailure("NETWORK", false, 0);
  }

  /** An operator may turn it off, or say how often it is done. */
  #verifiesName(): boolean {
    const { prng, runtime } = this.#deps;
    const share = runtime.share("health_check.verify_cluster") ?? 1;
    return share === 1 || prng.next() < share;
  }
}

function isWithin(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}
