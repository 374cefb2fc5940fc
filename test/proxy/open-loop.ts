import { Agent, request } from "node:http";

/** How many requests may be under way; who is slower than that gets fewer. */
const IN_FLIGHT_MAX = 200;
const TICK_MS = 5;

/** What came of the requests. */
export interface LoadResult {
  readonly sent: number;
  /** Answers that were not 200, and connections that broke, with how often. */
  readonly failures: Readonly<Record<string, number>>;
}

/**
 * Asks so many times a second, whether answers come or not, until it is stopped. What a slow machine
 * has no time for is left out: nothing is made up for later.
 */
export class OpenLoop {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_MAX });
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  readonly #failures: Record<string, number> = {};
  #inFlight = 0;
  #sent = 0;
  #onIdle: () => void = () => undefined;

  constructor(port: number, perSecond: number) {
    this.#port = port;
    const each = Math.ceil((perSecond * TICK_MS) / 1000);
    this.#timer = setInterval(() => this.#tick(each), TICK_MS);
  }

  get sent(): number {
    return this.#sent;
  }

  #tick(count: number): void {
    for (let left = count; left > 0 && this.#inFlight < IN_FLIGHT_MAX; left--) this.#send();
  }

  #send(): void {
    this.#inFlight++;
    this.#sent++;
    let isOver = false;
    const done = (outcome: string): void => {
      if (isOver) return;
      isOver = true;
      if (outcome !== "200") this.#failures[outcome] = (this.#failures[outcome] ?? 0) + 1;
      this.#inFlight--;
      if (this.#inFlight === 0) this.#onIdle();
    };
    const sent = request(
      { host: "127.0.0.1", port: this.#port, agent: this.#agent },
      (response) => {
        response.on("error", () => done("broken"));
        response.on("end", () => done(String(response.statusCode)));
        response.resume();
      },
    );
    sent.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? "error"));
    sent.end();
  }

  /** Sends no more, and waits for what is under way. */
  async stop(): Promise<LoadResult> {
    clearInterval(this.#timer);
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#agent.destroy();
    return { sent: this.#sent, failures: this.#failures };
  }
}
