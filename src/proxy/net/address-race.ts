import type { NetConnectOpts, Socket } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";
import type { TlsInfo } from "../../match/connection-info.ts";
import type { DialAddress, Dialing, OnConnect } from "./dial.ts";
import type { SocketOwner } from "./socket.ts";

/** How long one address may take until the next is tried beside it, as in Envoy. */
const NEXT_ATTEMPT_MS = 300;

/** Who connects where, and for whom. */
export interface RaceOptions {
  /** In the order in which they are tried; at least one. */
  readonly addresses: readonly NetConnectOpts[];
  readonly dial: DialAddress;
  readonly clock: Clock;
  readonly owner: SocketOwner;
  readonly onConnect: OnConnect;
  /** Told of every attempt but the first. */
  readonly onFurtherAttempt: () => void;
}

/**
 * Connects to one host by the first of its addresses that answers (RFC 8305, "Happy Eyeballs"): the
 * next one is tried when the last has failed, or has taken too long, and then both go on. The
 * owner sees one connection; it fails when the last attempt has.
 */
export class AddressRace implements Dialing {
  readonly #options: RaceOptions;
  readonly #running = new Set<Attempt>();
  #next = 0;
  #timer: Timer | undefined = undefined;
  #isOver = false;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.#start();
  }

  #start(): void {
    const { addresses, clock, dial, owner } = this.#options;
    const to = addresses[this.#next++];
    if (to === undefined) return;
    const attempt = new Attempt(owner, (error) => this.#onFailed(attempt, error));
    this.#running.add(attempt);
    attempt.dialing = dial(to, attempt, (socket, tls) => this.#onConnect(attempt, socket, tls));
    if (this.#next >= addresses.length) return;
    this.#timer = clock.setTimer(NEXT_ATTEMPT_MS, () => this.#startFurther());
  }

  #startFurther(): void {
    this.#options.onFurtherAttempt();
    this.#start();
  }

  #onConnect(attempt: Attempt, socket: Socket, tls: TlsInfo | undefined): void {
    this.#settle(attempt);
    this.#options.onConnect(socket, tls);
  }

  #onFailed(attempt: Attempt, error: Error | undefined): void {
    this.#timer?.cancel();
    this.#running.delete(attempt);
    if (this.#next < this.#options.addresses.length) this.#startFurther();
    if (this.#running.size > 0) return;
    this.#isOver = true;
    this.#options.owner.onClose(error);
  }

  /** From now on the owner is told of this one, and there is no other. */
  #settle(last: Attempt): void {
    this.#isOver = true;
    this.#timer?.cancel();
    last.isLast = true;
    for (const attempt of this.#running) if (attempt !== last) attempt.abandon();
    this.#running.clear();
  }

  destroy(): void {
    const [first] = this.#running;
    if (this.#isOver || first === undefined) return;
    this.#settle(first);
    first.dialing?.destroy();
  }
}

/** One of the connections; until it is the last its events are nobody's business. */
class Attempt implements SocketOwner {
  readonly #owner: SocketOwner;
  readonly #onFailed: (error: Error | undefined) => void;
  dialing: Dialing | undefined = undefined;
  isLast = false;
  #isAbandoned = false;

  constructor(owner: SocketOwner, onFailed: (error: Error | undefined) => void) {
    this.#owner = owner;
    this.#onFailed = onFailed;
  }

  abandon(): void {
    this.#isAbandoned = true;
    this.dialing?.destroy();
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#owner.onBytes(buffer, length);
  }

  onEnd(): void {
    if (this.isLast) this.#owner.onEnd();
  }

  onDrain(): void {
    if (this.isLast) this.#owner.onDrain();
  }

  onClose(error: Error | undefined): void {
    if (this.isLast) this.#owner.onClose(error);
    else if (!this.#isAbandoned) this.#onFailed(error);
  }
}
