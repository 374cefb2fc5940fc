/** An address that could not be bound; the message names it and, for users, why. */
export class ListenError extends Error {
  /** Which of the control plane's addresses. */
  readonly listener: "grpc" | "http" | "monitoring";
  readonly addr: string;

  constructor(listener: "grpc" | "http" | "monitoring", addr: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const text = reason.includes("EADDRINUSE") ? "another program has it" : reason;
    super(`cannot listen on ${addr}: ${text}`, { cause });
    this.name = "ListenError";
    this.listener = listener;
    this.addr = addr;
  }
}
