import type { Socket } from "node:net";
import type { ProxyContext } from "../context.ts";
import {
  type ConnectionPredicate,
  INSPECT,
  INSPECTED_BYTES_MAX,
  type ListenerFilter,
} from "../listener-filter/listener-filter.ts";
import { Deadline } from "../net/deadlines.ts";
import type { AcceptedConnection } from "./accepted-connection.ts";

/** A listener filter in its place. */
export interface InspectionStep {
  readonly filter: ListenerFilter;
  /** Connections that it passes over; `undefined`: none. */
  readonly isDisabled: ConnectionPredicate | undefined;
}

/** What listener filters of one listener share. */
export interface InspectionPlan {
  readonly steps: readonly InspectionStep[];
  /** 0 is none. */
  readonly timeoutMs: number;
  readonly continuesOnTimeout: boolean;
  /** All have looked; `peeked` was read from the paused socket and belongs to whoever is next. */
  onInspected(connection: AcceptedConnection, peeked: Buffer | undefined): void;
  onTimeout(): void;
  /** The client went before they had enough, or its connection failed. */
  onRemoteClose(): void;
  onEnd(inspection: Inspection): void;
}

/** One connection between its acceptance and the choice of its filter chain. */
export class Inspection {
  readonly #connection: AcceptedConnection;
  readonly #plan: InspectionPlan;
  readonly #deadline = new Deadline({ onDeadline: () => this.#onTimeout() });
  #at = 0;
  #bytes: Buffer | undefined;
  #isReading = false;
  #isOver = false;

  /** `peeked` was read from the paused socket already. */
  constructor(connection: AcceptedConnection, peeked: Buffer | undefined, plan: InspectionPlan) {
    this.#connection = connection;
    this.#bytes = peeked;
    this.#plan = plan;
  }

  /** Runs the filters until one waits for bytes; most often that is at once. */
  start({ deadlines, clock }: ProxyContext): void {
    this.#run();
    if (this.#isOver || this.#plan.timeoutMs === 0) return;
    deadlines.set(this.#deadline, this.#plan.timeoutMs, clock.monotonicMs());
  }

  #run(): void {
    const { steps } = this.#plan;
    for (; this.#at < steps.length; this.#at++) {
      const step = steps[this.#at];
      if (step === undefined || step.isDisabled?.(this.#connection) === true) continue;
      if (step.filter.needsBytes && this.#bytes === undefined) return this.#read();
      const used = step.filter.inspect(this.#connection, this.#bytes ?? NO_BYTES);
      if (used === INSPECT.more) return this.#read();
      if (used === INSPECT.close) return this.destroy();
      if (used > 0) this.#use(used);
    }
    this.#finish();
  }

  #use(count: number): void {
    const rest = this.#bytes?.subarray(count);
    this.#bytes = rest === undefined || rest.length === 0 ? undefined : rest;
  }

  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const { socket } = this.#connection;
    socket.on("data", this.#onData);
    socket.on("end", this.#onRemoteClose);
    socket.on("error", ignore);
    socket.on("close", this.#onRemoteClose);
    socket.resume();
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#bytes = this.#bytes === undefined ? bytes : Buffer.concat([this.#bytes, bytes]);
    this.#run();
    // What no filter knows how to end waits for the end of time, but not for more memory.
    if (!this.#isOver && this.#bytes.length >= INSPECTED_BYTES_MAX) this.#connection.socket.pause();
  };

  readonly #onRemoteClose = (): void => {
    if (this.#isOver) return;
    this.#plan.onRemoteClose();
    this.destroy();
  };

  #onTimeout(): void {
    this.#plan.onTimeout();
    if (this.#plan.continuesOnTimeout) this.#finish();
    else this.destroy();
  }

  #finish(): void {
    const { socket } = this.#connection;
    this.#over();
    if (this.#isReading) stopReading(socket);
    this.#plan.onInspected(this.#connection, this.#bytes);
    this.#plan.onEnd(this);
  }

  #over(): void {
    this.#isOver = true;
    this.#deadline.cancel();
    if (!this.#isReading) return;
    const { socket } = this.#connection;
    socket.off("data", this.#onData);
    socket.off("end", this.#onRemoteClose);
    socket.off("close", this.#onRemoteClose);
  }

  /** Closes the connection. */
  destroy(): void {
    if (this.#isOver) return;
    this.#over();
    const { socket } = this.#connection;
    // Envoy only peeks: closing with bytes unread resets the connection.
    if (this.#bytes === undefined) socket.destroy();
    else socket.resetAndDestroy();
    this.#connection.release();
    this.#plan.onEnd(this);
  }
}

const NO_BYTES = Buffer.alloc(0);

function ignore(): void {
  // Its close event follows.
}

/**
 * Stops reading as if it had not begun: nothing may be read between this owner and the next. Node
 * itself would go on until its own buffer is full.
 */
function stopReading(socket: Socket): void {
  const { _handle: handle } = socket as Socket & {
    _handle?: { reading: boolean; readStop(): void } | null;
  };
  socket.pause();
  socket.off("error", ignore);
  if (handle === undefined || handle === null) return;
  handle.reading = false;
  handle.readStop();
}
