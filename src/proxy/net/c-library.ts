import { createRequire } from "node:module";

/** A function of the C library. */
type Native = (...args: readonly unknown[]) => number;

/** What is used of koffi, which calls C functions. */
export interface CLibrary {
  /** The function of a C declaration. */
  func(declaration: string): Native;
  /** Why the last call failed. */
  errno(): number;
}

interface Koffi {
  load(library: string | null): { func(declaration: string): Native };
  errno(): number;
}

let loaded: CLibrary | undefined;

/** The C library, for what Node cannot ask of the system; only on Linux, with koffi installed. */
export function loadCLibrary(): CLibrary | undefined {
  if (loaded !== undefined || process.platform !== "linux") return loaded;
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const library = koffi.load(null);
    loaded = {
      func: (declaration) => library.func(declaration),
      errno: () => koffi.errno(),
    };
  } catch {
    // Not there: whoever needs it says so.
  }
  return loaded;
}
