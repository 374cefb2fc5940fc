import type { Issue } from "../base/issue.ts";
import type { RuntimeReader } from "../match/runtime-reader.ts";
import { type RuntimeLayerConfig, type RuntimeValue, readRuntimeText } from "./runtime.ts";

/** What is counted of a runtime, by Envoy's names under `runtime.`. */
interface RuntimeStats {
  /** Whether the admin layer has a value. */
  readonly admin_overrides_active: number;
  readonly load_success: number;
  readonly num_keys: number;
  readonly num_layers: number;
}

/** The runtime of one proxy: the layers of its bootstrap, one of which the admin port may fill. */
export class LayeredRuntime implements RuntimeReader {
  readonly #layers: readonly RuntimeLayerConfig[];
  readonly #admin = new Map<string, RuntimeValue>();
  #values: ReadonlyMap<string, RuntimeValue>;
  /** Like Envoy, the first ones are counted when it starts. */
  #loads = 2;

  constructor(layers: readonly RuntimeLayerConfig[]) {
    this.#layers = layers.map((layer) =>
      layer.isAdmin ? { ...layer, values: this.#admin } : layer,
    );
    this.#values = merge(this.#layers);
  }

  integer(key: string): number | undefined {
    return this.#values.get(key)?.number;
  }
  double(key: string): number | undefined {
    return this.#values.get(key)?.double;
  }
  share(key: string): number | undefined {
    return this.#values.get(key)?.share;
  }
  flag(key: string): boolean | undefined {
    return this.#values.get(key)?.flag;
  }

  get stats(): RuntimeStats {
    return {
      admin_overrides_active: this.#admin.size === 0 ? 0 : 1,
      load_success: this.#loads,
      num_keys: this.#values.size,
      num_layers: this.#layers.length,
    };
  }

  get hasAdminLayer(): boolean {
    return this.#layers.some(({ isAdmin }) => isAdmin);
  }

  /**
   * Sets values of the admin layer, each a text in YAML; "" takes the key out. All of them or, where
   * one is wrong, none: what is wrong is returned.
   */
  modify(changes: Iterable<readonly [key: string, text: string]>): readonly Issue[] {
    const issues: Issue[] = [];
    const read = [...changes].map(([key, text]) => {
      const value = text === "" ? undefined : readRuntimeText(key, text, issues);
      return [key, value] as const;
    });
    if (issues.length > 0) return issues;
    for (const [key, value] of read) {
      if (value === undefined) this.#admin.delete(key);
      else this.#admin.set(key, value);
    }
    this.#values = merge(this.#layers);
    this.#loads++;
    return [];
  }

  /** All values with what each layer says, in the shape of Envoy's `/runtime`. */
  dump(): object {
    const keys = [...this.#values.keys()].sort();
    const entries = keys.map((key) => {
      const texts = this.#layers.map(({ values }) => values.get(key)?.text ?? "");
      return [key, { final_value: this.#values.get(key)?.text ?? "", layer_values: texts }];
    });
    return {
      layers: this.#layers.map(({ name }) => name),
      entries: Object.fromEntries(entries) as object,
    };
  }
}

function merge(layers: readonly RuntimeLayerConfig[]): ReadonlyMap<string, RuntimeValue> {
  return new Map(layers.flatMap(({ values }) => [...values]));
}
