import { decodeYaml } from "../../src/config/yaml.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource } from "../../src/source/source.ts";

/** A source in a test's hand: what it is given is what there is. */
export class MemorySource implements ConfigSource {
  readonly name = "memory";
  #pending: ConfigEvent[];
  #onBatch: ((batch: ConfigBatch) => void) | undefined;

  constructor(yaml: string) {
    this.#pending = eventsOf(yaml);
  }

  /** Objects that came or changed. */
  apply(yaml: string): void {
    this.give(eventsOf(yaml));
  }

  give(events: ConfigEvent[]): void {
    if (this.#onBatch === undefined) this.#pending.push(...events);
    else this.#onBatch({ events, refused: [] });
  }

  async run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    this.#onBatch = onBatch;
    onBatch({ events: this.#pending, refused: [] });
    this.#pending = [];
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#onBatch = undefined;
  }
}

function eventsOf(yaml: string): ConfigEvent[] {
  const { objects } = decodeYaml(yaml, "mesh.yaml", { defaultNamespace: "default" });
  return objects.map(({ object, file, line }) => ({ type: "set", object, origin: { file, line } }));
}
