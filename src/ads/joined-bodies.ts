/** Pieces of at least so many bytes stand alone: to copy them once more would cost more than it saves. */
const LARGE = 32 * 1024;

/**
 * Most bytes that are kept: as much as a proxy has of some thousand services, so that all who come
 * after a restart get the same.
 */
const KEPT_MAX = 16 * 1024 * 1024;

/** Who keeps what was put together. */
interface Keeper {
  forgetJoined(): void;
}

interface Kept {
  /** It goes as soon as nobody has what it was made of. */
  readonly keeper: WeakRef<Keeper>;
  readonly bytes: number;
}

/** Bounds what is kept of bytes that were put together: the earliest is given up for the latest. */
export class JoinedBodies {
  readonly #max: number;
  /** Oldest first. */
  readonly #kept: Kept[] = [];
  #bytes = 0;

  constructor(max = KEPT_MAX) {
    this.#max = max;
  }

  /** At most so many bytes are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Somebody keeps so many bytes. */
  keep(keeper: Keeper, bytes: number): void {
    this.#kept.push({ keeper: new WeakRef(keeper), bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#max && this.#kept.length > 1) {
      const oldest = this.#kept.shift();
      this.#bytes -= oldest?.bytes ?? 0;
      oldest?.keeper.deref()?.forgetJoined();
    }
  }
}

/**
 * The same bytes in as few pieces as pay, and how many bytes were copied for that. What is kept is
 * not out of Node's pool, of which it would keep alive what others have.
 */
export function joinPieces(
  pieces: readonly Uint8Array[],
  allocate: (length: number) => Buffer = (size) => Buffer.allocUnsafeSlow(size),
): {
  readonly pieces: readonly Uint8Array[];
  readonly copied: number;
} {
  const joined: Uint8Array[] = [];
  let copied = 0;
  let from = 0;
  const joinUpTo = (end: number): void => {
    if (end === from) return;
    const run = pieces.slice(from, end);
    const length = run.reduce((sum, piece) => sum + piece.length, 0);
    const into = allocate(length);
    let at = 0;
    for (const piece of run) {
      into.set(piece, at);
      at += piece.length;
    }
    joined.push(into);
    copied += length;
  };
  for (const [index, piece] of pieces.entries()) {
    if (piece.length < LARGE) continue;
    joinUpTo(index);
    joined.push(piece);
    from = index + 1;
  }
  joinUpTo(pieces.length);
  return { pieces: joined, copied };
}
