import { type KubeObject, keyOf, keyText, type ObjectKey } from "../../src/config/object.ts";
import { decodeYaml, errorsOf, formatProblem } from "../../src/config/yaml.ts";
import type { ConfigBatch, ConfigSource } from "../../src/source/source.ts";

/** Configuration that a test replaces as a whole. */
export class MemorySource implements ConfigSource {
  readonly name = "memory";
  #onBatch: ((batch: ConfigBatch) => void) | undefined;
  #current: ReadonlyMap<string, KubeObject> = new Map();

  run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    this.#onBatch = onBatch;
    onBatch({ events: [...this.#current.values()].map(setEvent), refused: [] });
    return new Promise((resolve) => {
      signal.addEventListener(
        "abort",
        () => {
          this.#onBatch = undefined;
          resolve();
        },
        { once: true },
      );
    });
  }

  /** From now on there is what the documents say, and nothing else. Throws on a mistake in them. */
  replace(yaml: string): void {
    const { objects, problems } = decodeYaml(yaml, "case", { defaultNamespace: "default" });
    const errors = errorsOf(problems);
    if (errors.length > 0) throw new Error(errors.map(formatProblem).join("\n"));
    const next = new Map(objects.map(({ object }) => [keyText(keyOf(object)), object]));
    const gone: ObjectKey[] = [...this.#current]
      .filter(([key]) => !next.has(key))
      .map(([, object]) => keyOf(object));
    const changed = [...next].filter(
      ([key, object]) => JSON.stringify(object) !== JSON.stringify(this.#current.get(key)),
    );
    this.#current = next;
    this.#onBatch?.({
      events: [
        ...changed.map(([, object]) => setEvent(object)),
        ...gone.map((key) => ({ type: "delete", key }) as const),
      ],
      refused: [],
    });
  }
}

function setEvent(object: KubeObject): ConfigBatch["events"][number] {
  return { type: "set", object };
}
