import type { TapTarget } from "./tap-config.ts";

/** What somebody taps over the admin port: one configuration at a time, as in Envoy. */
export class Taps {
  /** The names by which filters can be tapped. */
  readonly ids = new Set<string>();
  #id = "";
  #target: TapTarget | undefined = undefined;

  /** What filters of that name tap now. */
  find(id: string): TapTarget | undefined {
    return this.#id === id ? this.#target : undefined;
  }

  get isAttached(): boolean {
    return this.#target !== undefined;
  }

  attach(id: string, target: TapTarget): void {
    this.#id = id;
    this.#target = target;
  }

  detach(): void {
    this.#target = undefined;
  }
}
