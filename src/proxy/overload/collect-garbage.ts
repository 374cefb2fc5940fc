import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Collects all garbage now, which is all that a Node process can do to have a smaller heap. */
export function collectGarbage(): void {
  if (collect === undefined) {
    // What `node --expose-gc` does, for those who start it without.
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
