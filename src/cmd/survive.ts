/**
 * Keeps this process alive when an exception has left everything that could have ended because of it:
 * a stream, a connection. `note` is told of it. What it answers ends that again.
 */
export function survive(note: (error: unknown) => void): () => void {
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  return () => {
    process.off("uncaughtException", note);
    process.off("unhandledRejection", note);
  };
}
