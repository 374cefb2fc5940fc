/** How many candidates are tried at most. */
const TRIES_MAX = 20_000;

/**
 * The shortest text found that still fails: pieces are taken out, large ones first, then characters
 * are made plain. `isFailing` must give the same answer for the same text.
 */
export function shrink(text: string, isFailing: (text: string) => boolean): string {
  let best = text;
  let tries = 0;
  const attempt = (candidate: string): boolean => {
    if (candidate === best || ++tries > TRIES_MAX || !isFailing(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length; ) {
      if (!attempt(best.substring(0, at) + best.substring(at + size))) at += size;
    }
  }
  for (let at = 0; at < best.length; at++) {
    attempt(`${best.substring(0, at)}x${best.substring(at + 1)}`);
  }
  return best;
}
