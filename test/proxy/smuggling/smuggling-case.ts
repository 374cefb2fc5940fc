/** Bytes that two readers of HTTP/1.1 could take apart at different places. */
export interface SmugglingCase {
  readonly group: string;
  readonly name: string;
  /** What the client sends, Latin-1; a good request for `/after` follows on the same connection. */
  readonly send: string;
  /** What the upstream answers to `/bad`; the client then waits for it before it sends `/after`. */
  readonly answer?: string;
  /** The upstream ends its connection after that answer. */
  readonly ends?: boolean;
}

/** Groups cases given as `name: bytes`. */
export function group(
  name: string,
  sends: Readonly<Record<string, string>>,
): readonly SmugglingCase[] {
  return Object.entries(sends).map(([one, send]) => ({ group: name, name: one, send }));
}
