import type { BehaviourMesh } from "./behaviour-mesh.ts";

const PARALLEL = 4;

/** Sends the same request again and again, without a pause, until it is stopped. */
export class BehaviourLoad {
  readonly #answers = new Set<string>();
  readonly #senders: readonly Promise<void>[];
  #isStopped = false;

  constructor(mesh: BehaviourMesh, line: string) {
    this.#senders = Array.from({ length: PARALLEL }, async () => {
      while (!this.#isStopped) {
        const { status, echo, text, error = text } = await mesh.send("client", line);
        this.#answers.add(status === 200 ? (echo?.by ?? "nobody") : `${status} ${error}`);
      }
    });
  }

  /** Who answered, and everything that failed; sorted, each once. */
  async stop(): Promise<readonly string[]> {
    this.#isStopped = true;
    await Promise.all(this.#senders);
    return [...this.#answers].sort();
  }
}
