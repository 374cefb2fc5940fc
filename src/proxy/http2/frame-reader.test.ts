import { expect, test } from "vitest";
import { FrameReader, type FrameSink } from "./frame-reader.ts";

/** Notes what comes, the pieces of one DATA frame joined. */
class Notes implements FrameSink {
  readonly lines: string[] = [];
  #data = "";
  onFrameHead(type: number, flags: number, id: number, length: number): void {
    this.lines.push(`head ${type} ${flags} ${id} ${length}`);
  }
  onFrame(buffer: Buffer, from: number, to: number): void {
    this.lines.push(`payload ${buffer.toString("hex", from, to)}`);
  }
  onDataPiece(buffer: Buffer, from: number, to: number): void {
    this.#data += buffer.toString("hex", from, to);
  }
  onDataEnd(): void {
    this.lines.push(`data ${this.#data}`);
    this.#data = "";
  }
  onOversize(): void {
    this.lines.push("oversize");
  }
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

test("frames are the same in pieces of any size", () => {
  const bytes = Buffer.concat([
    frame(4, 0, 0, Buffer.alloc(12, 1)),
    frame(0, 1, 1, Buffer.alloc(300, 2)),
    frame(0, 1, 3, Buffer.alloc(0)),
    frame(1, 4, 5, Buffer.alloc(40, 3)),
    frame(4, 1, 0, Buffer.alloc(0)),
    frame(9, 255, 0x7fff_ffff, Buffer.alloc(1, 4)),
    frame(0, 0, 7, Buffer.alloc(16_384, 5)),
  ]);
  const whole = new Notes();
  new FrameReader(whole).read(bytes, 0, bytes.length);
  expect(whole.lines).toHaveLength(14);
  for (const size of [1, 2, 3, 8, 9, 10, 17, 100, 1000]) {
    const notes = new Notes();
    const reader = new FrameReader(notes);
    for (let at = 0; at < bytes.length; at += size) {
      // As the shared read buffer: what was there before is overwritten.
      const piece = Buffer.from(bytes.subarray(at, at + size));
      reader.read(piece, 0, piece.length);
      piece.fill(0xff);
    }
    expect(notes.lines).toEqual(whole.lines);
  }
});

test("a frame that is too large is told, and none after a stop", () => {
  const notes = new Notes();
  const reader = new FrameReader(notes);
  const large = Buffer.concat([frame(0, 0, 1, Buffer.alloc(16_385)).subarray(0, 9)]);
  reader.read(large, 0, 9);
  expect(notes.lines).toEqual(["oversize"]);
  reader.stop();
  const ping = frame(6, 0, 0, Buffer.alloc(8));
  reader.read(ping, 0, ping.length);
  expect(notes.lines).toEqual(["oversize"]);
});
