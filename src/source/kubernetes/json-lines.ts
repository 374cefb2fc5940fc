/** Cuts bytes that come in pieces into lines of JSON. */
export class JsonLines {
  readonly #lineBytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The values that are whole now. Throws when a line is no JSON or longer than it may be. */
  *push(chunk: Buffer): Iterable<unknown> {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      this.#add(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(this.#pieces, this.#bytes).toString("utf8");
      this.#pieces = [];
      this.#bytes = 0;
      if (line.trim() !== "") yield JSON.parse(line);
    }
    this.#add(chunk.subarray(start));
  }

  #add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#bytes += piece.length;
    if (this.#bytes > this.#lineBytesMax) {
      throw new Error(`a line of the answer is longer than ${this.#lineBytesMax} bytes`);
    }
    this.#pieces.push(piece);
  }
}
