import type { Rejection, ResourceType, ResourceUpdate, TypeStatus } from "./resource-type.ts";
import type { Answer, Ask, VariantName } from "./wire-variant.ts";

/** A NACK's text goes back to the control plane and into its status; no more than this of it. */
const REASON_LENGTH_MAX = 4096;

/** The name that stands for all that there is. */
const WILDCARD = "*";

const NOTHING_HELD: ReadonlyMap<string, string> = new Map();

/**
 * What is asked for of one type, what was taken, and what the next request says (xDS protocol,
 * "ACK and NACK", "Resource names" and "Incremental xDS"). Knows no stream. Both variants of the
 * protocol are here: they differ in what a request says, not in what is known.
 */
export class Subscription {
  readonly #type: ResourceType;
  readonly #isDelta: boolean;
  /** What was given to `setNames` last. */
  #given: ReadonlySet<string> | undefined = undefined;
  readonly #names = new Set<string>();
  /** Names that this stream has yet to be told of, and those that it has yet to forget. */
  readonly #subscribe = new Set<string>();
  readonly #unsubscribe = new Set<string>();
  /** Delta: what was taken and is held, name to version. */
  readonly #held = new Map<string, string>();
  #version = "";
  #nonce = "";
  #rejection: string | undefined = undefined;
  #updates = 0;
  #rejections = 0;
  /** Whether this stream has heard of the type. */
  #isAsked = false;
  /** Whether there is something to say: an answer, or other names. */
  #isDue = false;
  /** Whether the next request answers a response, and refuses it; only one does. */
  #isAnswerDue = false;
  #isNackDue = false;

  constructor(type: ResourceType, variant: VariantName) {
    this.#type = type;
    this.#isDelta = variant === "DELTA_GRPC";
  }

  status(): TypeStatus {
    return {
      typeUrl: this.#type.typeUrl,
      version: this.#version,
      ...(this.#rejection === undefined ? {} : { rejection: this.#rejection }),
      updates: this.#updates,
      rejections: this.#rejections,
    };
  }

  /** A new stream: nonces of the old one mean nothing there, versions still do. */
  reset(): void {
    this.#nonce = "";
    this.#isAsked = false;
    this.#isDue = false;
    this.#isAnswerDue = false;
    this.#isNackDue = false;
  }

  /** Whether the names are others than before. */
  setNames(names: ReadonlySet<string>): boolean {
    if (names === this.#given) return false;
    this.#given = names;
    let isChanged = false;
    for (const name of this.#names) {
      if (names.has(name)) continue;
      isChanged = true;
      this.#names.delete(name);
      this.#subscribe.delete(name);
      this.#unsubscribe.add(name);
      // Whoever needs it again has nothing of it.
      this.#held.delete(name);
    }
    for (const name of names) {
      if (this.#names.has(name)) continue;
      isChanged = true;
      this.#names.add(name);
      this.#unsubscribe.delete(name);
      this.#subscribe.add(name);
    }
    this.#isDue ||= isChanged;
    return isChanged;
  }

  /** Delta: asks once more for a name that is asked for, so that it is answered once more. */
  askAgain(name: string): boolean {
    if (!this.#isDelta || !this.#names.has(name)) return false;
    this.#subscribe.add(name);
    this.#isDue = true;
    return true;
  }

  /** Notes what became of a response; the reason when something of it was refused. */
  note({ nonce, update }: Answer, rejections: readonly Rejection[]): string | undefined {
    this.#nonce = nonce;
    this.#isDue = true;
    this.#isAnswerDue = true;
    this.#isNackDue = rejections.length > 0;
    if (this.#isDelta) this.#noteVersions(update, rejections);
    if (rejections.length === 0) {
      this.#version = update.version;
      this.#rejection = undefined;
      this.#updates++;
      return undefined;
    }
    this.#rejections++;
    this.#rejection = rejections
      .map(({ name, reason }) => (name === "" ? reason : `${name}: ${reason}`))
      .join("; ")
      .slice(0, REASON_LENGTH_MAX);
    return this.#rejection;
  }

  /**
   * Of what was refused the version that is in use stays noted: the server must try again with
   * what it has, and must say if the resource goes.
   */
  #noteVersions({ resources, removed }: ResourceUpdate, rejections: readonly Rejection[]): void {
    const refused = new Set(rejections.map(({ name }) => name));
    if (refused.has("")) return;
    for (const { name, version, body } of resources) {
      if (refused.has(name) || !this.#isAskedFor(name)) continue;
      // Where there is nothing, there is no version of it: it may come at any time.
      if (body === undefined) this.#held.delete(name);
      else this.#held.set(name, version);
    }
    for (const name of removed) if (!refused.has(name)) this.#held.delete(name);
  }

  #isAskedFor(name: string): boolean {
    if (this.#type.isWildcard) return true;
    if (this.#names.has(WILDCARD)) return this.#type.wants?.(name) === true;
    return this.#names.has(name);
  }

  /** What this stream has to be told now, if anything; to be sent in order. */
  nextRequest(): Ask | undefined {
    const { typeUrl, isWildcard } = this.#type;
    const isFirst = !this.#isAsked && (isWildcard || this.#names.size > 0);
    if (!isFirst && !(this.#isAsked && this.#isDue)) return undefined;
    const refusal = this.#isNackDue ? (this.#rejection ?? "") : undefined;
    // In state of the world every request says what was last answered, in delta only an answer.
    const nonce = this.#isDelta && !this.#isAnswerDue ? "" : this.#nonce;
    const sorted = (names: Iterable<string>): string[] => [...names].sort();
    const ask: Ask = {
      typeUrl,
      nonce,
      refusal,
      version: this.#version,
      names: () => (isWildcard ? [] : sorted(this.#names)),
      subscribe: sorted(isFirst ? this.#firstNames() : this.#subscribe),
      unsubscribe: isFirst ? [] : sorted(this.#unsubscribe),
      heldVersions: isFirst ? this.#wantedVersions() : NOTHING_HELD,
    };
    this.#subscribe.clear();
    this.#unsubscribe.clear();
    this.#isAsked = true;
    this.#isDue = false;
    this.#isAnswerDue = false;
    this.#isNackDue = false;
    return ask;
  }

  /** To ask for everything and nothing by name is to name nothing, in Envoy as well. */
  #firstNames(): Iterable<string> {
    return this.#names.size === 1 && this.#names.has(WILDCARD) ? [] : this.#names;
  }

  #wantedVersions(): ReadonlyMap<string, string> {
    return new Map([...this.#held].filter(([name]) => this.#isAskedFor(name)));
  }

  /**
   * Hands a response to who takes it. What has a fault that shows outside of it is left out, and
   * so is in delta what nobody asked for, as in Envoy: that is not even decoded.
   */
  apply({ update, faults }: Answer): readonly Rejection[] | Promise<readonly Rejection[]> {
    if (faults.some(({ name }) => name === "")) return faults;
    if (update.isWhole) return this.#type.apply(update);
    const faulty = new Set(faults.map(({ name }) => name));
    const wanted: ResourceUpdate = {
      ...update,
      resources: update.resources.filter(({ name }) => this.#isAskedFor(name) && !faulty.has(name)),
      removed: update.removed.filter((name) => this.#isAskedFor(name)),
    };
    const applied = this.#type.apply(wanted);
    if (faults.length === 0) return applied;
    const asked = faults.filter(({ name }) => this.#isAskedFor(name));
    if (applied instanceof Promise) return applied.then((more) => [...asked, ...more]);
    return [...asked, ...applied];
  }
}
