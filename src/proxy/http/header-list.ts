/**
 * The headers of one message, in order, names in lower case. The owner reuses it for the next
 * message of its connection, so nothing may keep it.
 */
export class HeaderList {
  /** name, value, name, value…: only what stands before `end` counts. */
  readonly entries: string[] = [];
  end = 0;

  clear(): void {
    this.end = 0;
  }

  /** Appends; `name` must be in lower case. */
  add(name: string, value: string): void {
    this.entries[this.end] = name;
    this.entries[this.end + 1] = value;
    this.end += 2;
  }

  /** The value; those of a repeated header are joined by commas, as access logs show them. */
  get(name: string): string | undefined {
    const { entries, end } = this;
    for (let at = 0; at < end; at += 2) {
      if (entries[at] === name) return this.#joinFrom(name, at);
    }
    return undefined;
  }

  #joinFrom(name: string, first: number): string | undefined {
    let value = this.entries[first + 1];
    for (let at = first + 2; at < this.end; at += 2) {
      if (this.entries[at] === name) value = `${value},${this.entries[at + 1]}`;
    }
    return value;
  }

  /** The value where the header first stands. */
  first(name: string): string | undefined {
    for (let at = 0; at < this.end; at += 2) {
      if (this.entries[at] === name) return this.entries[at + 1];
    }
    return undefined;
  }

  some(name: string, test: (value: string) => boolean): boolean | undefined {
    const { entries, end } = this;
    let found: boolean | undefined;
    for (let at = 0; at < end; at += 2) {
      if (entries[at] !== name) continue;
      if (test(entries[at + 1] ?? "")) return true;
      found = false;
    }
    return found;
  }

  has(name: string): boolean {
    for (let at = 0; at < this.end; at += 2) if (this.entries[at] === name) return true;
    return false;
  }

  /** Replaces the value where the header first stands, or appends it. */
  set(name: string, value: string): void {
    for (let at = 0; at < this.end; at += 2) {
      if (this.entries[at] !== name) continue;
      this.entries[at + 1] = value;
      this.#removeFrom(name, at + 2);
      return;
    }
    this.add(name, value);
  }

  /** Removes every header of that name. */
  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  #removeFrom(name: string, first: number): void {
    const { entries } = this;
    let to = first;
    for (let from = first; from < this.end; from += 2) {
      if (entries[from] === name) continue;
      if (from !== to) {
        entries[to] = entries[from] ?? "";
        entries[to + 1] = entries[from + 1] ?? "";
      }
      to += 2;
    }
    this.end = to;
  }

  /** Removes every header whose name passes the test. */
  removeWhere(test: (name: string) => boolean): void {
    const { entries } = this;
    let to = 0;
    for (let from = 0; from < this.end; from += 2) {
      const name = entries[from] ?? "";
      if (test(name)) continue;
      entries[to] = name;
      entries[to + 1] = entries[from + 1] ?? "";
      to += 2;
    }
    this.end = to;
  }

  /** What stands there now, for `restore`. */
  snapshot(): readonly string[] {
    return this.entries.slice(0, this.end);
  }

  /** Goes back to what `snapshot` gave. */
  restore(entries: readonly string[]): void {
    for (const [at, text] of entries.entries()) this.entries[at] = text;
    this.end = entries.length;
  }

  /** The header lines, each with its line end. */
  encode(): string {
    const { entries, end } = this;
    let text = "";
    for (let at = 0; at < end; at += 2) text += `${entries[at]}: ${entries[at + 1]}\r\n`;
    return text;
  }
}
