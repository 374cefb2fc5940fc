import { describe, expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";

function vector(sizeBytes: 1 | 2, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(sizeBytes);
  head.writeUIntBE(body.length, 0, sizeBytes);
  return Buffer.concat([head, body]);
}

function number(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function serverName(name: string): Buffer {
  const entry = Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(name))]);
  return Buffer.concat([number(0), vector(2, vector(2, entry))]);
}

function alpn(...names: readonly string[]): Buffer {
  const list = vector(2, ...names.map((name) => vector(1, Buffer.from(name))));
  return Buffer.concat([number(16), vector(2, list)]);
}

/** A ClientHello in records of at most `recordBytes`. */
function hello(extensions: readonly Buffer[], recordBytes = 16_384): Buffer {
  const body = Buffer.concat([
    Buffer.alloc(34, 3),
    vector(1, Buffer.alloc(32)),
    vector(2, number(0x1301)),
    vector(1, Buffer.from([0])),
    ...(extensions.length === 0 ? [] : [vector(2, ...extensions)]),
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), vector(2, body)]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    const part = message.subarray(at, at + recordBytes);
    records.push(Buffer.from([22, 3, 1]), vector(2, part));
  }
  return Buffer.concat(records);
}

function read(bytes: Buffer): unknown {
  const found = readClientHello(bytes);
  if (typeof found === "string") return found;
  return [found.serverName.toString(), ...found.protocols.map(String)];
}

describe("readClientHello()", () => {
  const full = [serverName("a.test"), alpn("h2", "http/1.1")];

  test("finds name and protocols", () => {
    expect(read(hello(full))).toEqual(["a.test", "h2", "http/1.1"]);
  });

  test("takes one without extensions", () => {
    expect(read(hello([]))).toEqual([""]);
  });

  test("takes one that is spread over records", () => {
    for (const size of [1, 3, 7, 50]) {
      expect(read(hello(full, size))).toEqual(["a.test", "h2", "http/1.1"]);
    }
  });

  test("asks for more until the last byte", () => {
    for (const whole of [hello(full), hello(full, 11)]) {
      for (let end = 0; end < whole.length; end++) {
        expect(read(whole.subarray(0, end))).toBe("more");
      }
    }
  });

  test("takes lengths that point past the end for something else", () => {
    const whole = hello(full);
    for (let at = 0; at < whole.length; at++) {
      const broken = Buffer.from(whole);
      broken[at] = 255;
      // Whatever it makes of it, it comes to an end.
      expect(["object", "string"]).toContain(typeof read(broken));
    }
    const broken = Buffer.from(whole);
    broken.writeUInt16BE(0xffff, whole.length - 14);
    expect(read(broken)).toBe("none");
  });

  test("knows other protocols at once", () => {
    for (const text of ["GET / HTTP/1.1", "\u0016\u0002\u0001\0\u0005", "SSH-2.0-x"]) {
      expect(read(Buffer.from(text, "latin1"))).toBe("none");
    }
  });

  test("waits for no more than a message may have", () => {
    expect(read(Buffer.from([22, 3, 1, 64, 0, 1, 0, 64, 1]))).toBe("none");
    expect(read(Buffer.from([22, 3, 1, 64, 0, 1, 0, 64, 0]))).toBe("more");
  });
});
