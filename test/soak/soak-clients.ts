import { XdsProbe } from "../faults/xds-probe.ts";

/** Proxies that came last and stay a while. */
const GUESTS_MAX = 6;

const VARIANTS = ["sotw", "delta"] as const;

/** Proxies of all sorts: most do as they should, some do not, others come and go. */
export class SoakClients {
  readonly #port: number;
  readonly #steady: XdsProbe[] = [];
  readonly #bad: XdsProbe[] = [];
  readonly #guests: XdsProbe[] = [];
  #turn = 0;

  constructor(port: number, count: number) {
    this.#port = port;
    for (let index = 0; index < count; index++) {
      this.#steady.push(this.#open(`app-${index}`, index, "ack"));
    }
    for (const index of VARIANTS.keys()) {
      this.#bad.push(this.#open(`nacks-${index}`, index, "nack"));
      this.#bad.push(this.#open(`silent-${index}`, index, "none"));
      const slow = this.#open(`slow-${index}`, index, "ack");
      slow.stopReading();
      this.#bad.push(slow);
    }
  }

  /** How many stay for good. */
  get steady(): number {
    return this.#steady.length;
  }

  /** Why a proxy that did as it should was sent away, if one was. */
  get lost(): string | undefined {
    return this.#steady.find(({ error }) => error !== undefined)?.error?.message;
  }

  /** One comes that nobody has seen, one that stays comes again, and the oldest guest goes. */
  move(): void {
    this.#turn += 1;
    const guest = this.#open(`guest-${this.#turn}`, this.#turn, "ack");
    guest.ask("endpoint", [`nothing-${this.#turn}`]);
    this.#guests.push(guest);
    if (this.#guests.length > GUESTS_MAX) this.#guests.shift()?.close();
    const back = this.#steady[this.#turn % this.#steady.length];
    back?.connect(this.#port);
    back?.follow();
  }

  close(): void {
    for (const probe of [...this.#steady, ...this.#bad, ...this.#guests]) probe.close();
  }

  #open(name: string, index: number, answer: "ack" | "nack" | "none"): XdsProbe {
    const variant = VARIANTS[index % VARIANTS.length] ?? "sotw";
    const probe = new XdsProbe({ variant, name, answer });
    probe.connect(this.#port);
    probe.follow();
    return probe;
  }
}
