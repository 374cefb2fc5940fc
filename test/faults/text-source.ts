import { type KubeObject, keyOf, type ObjectKey } from "../../src/config/object.ts";
import { decodeYaml, errorsOf, formatProblem } from "../../src/config/yaml.ts";
import type { ConfigBatch, ConfigEvent, ConfigSource } from "../../src/source/source.ts";

/** Most texts whose objects are remembered. */
const DECODED_MAX = 1000;

/**
 * Configuration in a test's hand, an object at a time: only what changes is read again, so that ten
 * thousand writes cost what they cost the control plane.
 */
export class TextSource implements ConfigSource {
  readonly name = "test";
  #texts: ReadonlyMap<string, string> = new Map();
  readonly #objects = new Map<string, KubeObject>();
  /** What texts say that came before: who writes ten thousand times repeats some. */
  readonly #decoded = new Map<string, KubeObject>();
  #onBatch: ((batch: ConfigBatch) => void) | undefined;

  run(onBatch: (batch: ConfigBatch) => void, signal: AbortSignal): Promise<void> {
    this.#onBatch = onBatch;
    onBatch({ events: [...this.#objects.values()].map(setEvent), refused: [] });
    return new Promise((resolve) => {
      const end = (): void => {
        this.#onBatch = undefined;
        resolve();
      };
      signal.addEventListener("abort", end, { once: true });
    });
  }

  /** From now on there are these objects, each a YAML document; one batch. Throws on a mistake. */
  replace(texts: ReadonlyMap<string, string>): void {
    const events: ConfigEvent[] = [];
    for (const name of this.#texts.keys()) {
      if (!texts.has(name)) events.push({ type: "delete", key: this.#forget(name) });
    }
    for (const [name, text] of texts) {
      if (this.#texts.get(name) === text) continue;
      const object = this.#decode(text);
      this.#objects.set(name, object);
      events.push(setEvent(object));
    }
    this.#texts = new Map(texts);
    this.#onBatch?.({ events, refused: [] });
  }

  #decode(text: string): KubeObject {
    const object = this.#decoded.get(text) ?? decode(text);
    if (this.#decoded.size >= DECODED_MAX) this.#decoded.clear();
    this.#decoded.set(text, object);
    return object;
  }

  #forget(name: string): ObjectKey {
    const object = this.#objects.get(name);
    if (object === undefined) throw new Error(`there is no object "${name}"`);
    this.#objects.delete(name);
    return keyOf(object);
  }
}

function decode(text: string): KubeObject {
  const { objects, problems } = decodeYaml(text, "test", { defaultNamespace: "default" });
  const errors = errorsOf(problems);
  const [only] = objects;
  if (errors.length > 0 || only === undefined)
    throw new Error(errors.map(formatProblem).join("\n"));
  return only.object;
}

function setEvent(object: KubeObject): ConfigEvent {
  return { type: "set", object };
}
