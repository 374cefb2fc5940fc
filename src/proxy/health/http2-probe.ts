import type { Host } from "../cluster/host.ts";
import type { ResponseHead } from "../http/message-head.ts";
import type { HttpCheckConfig } from "./health-config.ts";
import type { Probe } from "./health-session.ts";
import { checkHead, checkScheme } from "./http-request.ts";
import type { HttpVerdict } from "./http-verdict.ts";
import {
  type Http2Asker,
  type Http2CheckDeps,
  Http2CheckLine,
  type Http2Question,
} from "./http2-check-line.ts";

/** Asks a host over HTTP/2 how it does, on a connection that is kept. */
export class Http2Probe implements Probe, Http2Asker {
  readonly #host: Host;
  readonly #check: HttpCheckConfig;
  readonly #deps: Http2CheckDeps;
  readonly #verdict: HttpVerdict;
  readonly #line: Http2CheckLine;

  constructor(host: Host, check: HttpCheckConfig, deps: Http2CheckDeps, verdict: HttpVerdict) {
    this.#host = host;
    this.#check = check;
    this.#deps = deps;
    this.#verdict = verdict;
    this.#line = new Http2CheckLine(host, deps, this);
  }

  run(): void {
    this.#verdict.reset();
    this.#line.run();
  }

  question(): Http2Question {
    const head = checkHead(this.#host, this.#check, this.#deps.clock, "HTTP/2");
    const { method, authority, path, headers } = head;
    const line = { method, authority, path, scheme: checkScheme(this.#host), protocol: "" };
    return { line, headers, body: this.#check.send };
  }

  onHead(_head: ResponseHead, isEnd: boolean): void {
    if (isEnd) this.onBodyEnd();
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#verdict.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(): void {
    this.#line.end();
    this.#verdict.judge(this.#line.head);
  }

  onBroken(): void {
    this.#verdict.onBroken();
  }

  giveUp(): void {
    this.#line.close();
  }

  close(): void {
    this.#line.close();
  }
}
