/** Lets so many in at once; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #waiting: ((isAcquired: boolean) => void)[] = [];

  constructor(max: number) {
    this.#free = max;
  }

  /**
   * A place in the queue. `acquired` resolves with true when it is one's turn, with false when the
   * place was released before; `release` may be called at any time and more than once.
   */
  acquire(): { readonly acquired: Promise<boolean>; readonly release: () => void } {
    let state: "waiting" | "held" | "released" = "waiting";
    let settle: (isAcquired: boolean) => void = () => undefined;
    const acquired = new Promise<boolean>((resolve) => {
      settle = (isAcquired) => {
        state = isAcquired ? "held" : "released";
        resolve(isAcquired);
      };
    });
    if (this.#free > 0) {
      this.#free--;
      settle(true);
    } else this.#waiting.push(settle);
    const release = (): void => {
      if (state === "held") {
        state = "released";
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next(true);
      } else if (state === "waiting") {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        settle(false);
      }
    };
    return { acquired, release };
  }
}
