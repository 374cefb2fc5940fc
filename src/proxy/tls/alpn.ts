/** Protocol names as they go over the wire: each behind its length (RFC 7301 3.1). */
export function encodeAlpn(names: readonly string[]): Buffer {
  return Buffer.concat(
    names.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`, "latin1")),
  );
}
