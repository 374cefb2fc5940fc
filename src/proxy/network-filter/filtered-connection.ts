import type { Socket } from "node:net";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";
import type {
  Adopt,
  FilteredSocket,
  OpenConnection,
  PassingFilter,
  TerminalFilter,
} from "./network-filter.ts";

/** What makes the filters of one connection. */
export interface FilterPlan {
  readonly filters: readonly ((connection: FilteredSocket) => PassingFilter)[];
  readonly terminal: TerminalFilter;
}

/** A connection that filters look at before the last one of its chain gets its bytes. */
export class FilteredConnection implements OpenConnection, FilteredSocket {
  readonly connection: AcceptedConnection;
  readonly #onEnd: (connection: OpenConnection) => void;
  readonly #socket: Socket;
  readonly #filters: readonly PassingFilter[];
  readonly #plan: FilterPlan;
  #terminal: OpenConnection | undefined = undefined;
  #isOver = false;
  /** How many filters have seen it begin. */
  #begun = 0;
  #isHeld = false;
  /** What came while one of them held it: what had been read before it was paused. */
  readonly #early: Buffer[] = [];
  #hasEnded = false;

  constructor(
    connection: AcceptedConnection,
    plan: FilterPlan,
    adopt: Adopt,
    onEnd: (connection: OpenConnection) => void,
  ) {
    this.connection = connection;
    this.#plan = plan;
    this.#onEnd = onEnd;
    this.#socket = adopt(this);
    this.#filters = plan.filters.map((create) => create(this));
    this.#begin();
  }

  #begin(): void {
    while (this.#begun < this.#filters.length) {
      // The filter that stopped it closes it, or lets it continue, some time.
      if (this.#filters[this.#begun++]?.onNewConnection?.() === false) return;
    }
    this.#terminal = this.#plan.terminal.open(
      this.connection,
      () => this.#socket,
      () => this.#onEnd(this),
    );
  }

  hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  continue(): void {
    if (!this.#isHeld || this.#isOver) return;
    this.#isHeld = false;
    this.#socket.resume();
    this.#begin();
    const early = this.#early.splice(0);
    for (const bytes of early) this.onBytes(bytes, bytes.length);
    if (this.#hasEnded) this.onEnd();
  }

  #passes(isEnd: boolean): boolean {
    for (const filter of this.#filters) if (filter.onData?.(isEnd) === false) return false;
    return true;
  }

  onBytes(buffer: Buffer, length: number): void {
    if (this.#isHeld) {
      this.#early.push(Buffer.from(buffer.subarray(0, length)));
      return;
    }
    if (this.#terminal !== undefined && this.#passes(false)) this.#terminal.onBytes(buffer, length);
  }

  onEnd(): void {
    if (this.#isHeld) this.#hasEnded = true;
    else if (this.#terminal === undefined) this.destroy();
    else if (this.#passes(true)) this.#terminal.onEnd();
  }

  onDrain(): void {
    this.#terminal?.onDrain();
  }

  onClose(error: Error | undefined): void {
    for (const filter of this.#filters) filter.onClose?.();
    if (this.#terminal === undefined) this.#over();
    else this.#terminal.onClose(error);
  }

  closeIfIdle(): void {
    this.#terminal?.closeIfIdle();
  }

  destroy(): void {
    if (this.#terminal !== undefined) return this.#terminal.destroy();
    // A closed socket no longer knows them, and it may be logged.
    this.connection.keepAddresses();
    this.#socket.destroy();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#plan.terminal.onRefused?.(this.connection);
    this.#onEnd(this);
  }
}
