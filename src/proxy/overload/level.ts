import type { Prng } from "../../base/prng.ts";
import type { LevelConfig, TriggerConfig } from "./overload-config.ts";

/** How strongly a trigger asks for its action under that pressure: 0 to 1. */
function levelOf(trigger: TriggerConfig, pressure: number): number {
  if (trigger.kind === "threshold") return pressure >= trigger.value ? 1 : 0;
  const { from, to } = trigger;
  if (pressure <= from) return 0;
  return pressure >= to ? 1 : (pressure - from) / (to - from);
}

/** What changed in a level when a resource was looked at. */
export interface LevelChange {
  /** What the trigger of that resource asks for now; others may ask for more. */
  readonly asked: number;
}

/** How strongly something is done: as much as the most eager of its triggers asks for. */
export class Level {
  readonly name: string;
  readonly #triggers: ReadonlyMap<string, TriggerConfig>;
  readonly #asked = new Map<string, number>();
  #value = 0;

  constructor({ name, triggers }: LevelConfig<string>) {
    this.name = name;
    this.#triggers = new Map(triggers.map(({ resource, trigger }) => [resource, trigger] as const));
  }

  /** From 0, not at all, to 1, always. */
  get value(): number {
    return this.#value;
  }

  get isSaturated(): boolean {
    return this.#value >= 1;
  }

  /** A resource was looked at; `undefined` when that changes nothing here. */
  update(resource: string, pressure: number): LevelChange | undefined {
    const trigger = this.#triggers.get(resource);
    if (trigger === undefined) return undefined;
    const asked = levelOf(trigger, pressure);
    if (asked === (this.#asked.get(resource) ?? 0)) return undefined;
    this.#asked.set(resource, asked);
    this.#value = Math.max(0, ...this.#asked.values());
    return { asked };
  }

  /** Whether it is done this time. Nothing is drawn where the answer is certain. */
  strikes(prng: Prng): boolean {
    return this.#value > 0 && (this.#value >= 1 || prng.next() < this.#value);
  }
}

/** As gauges show it: whole percents of a number that Envoy keeps in 32 bits. */
export function percentOf(value: number): number {
  return Math.trunc(Math.fround(Math.fround(value) * 100));
}
