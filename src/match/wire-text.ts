// oxlint-disable-next-line no-control-regex -- all of ASCII
const ASCII = /^[\0-\x7f]*$/;

/**
 * Text of a configuration as it goes over the wire: UTF-8, one character for each byte (Latin-1),
 * which is how heads are read, compared and written.
 */
export function wireText(text: string): string {
  if (ASCII.test(text)) return text;
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Small letters for those of ASCII; other bytes may be a part of any character. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

const DECODER = new TextDecoder();

/** Text as it came over the wire, for protobuf; what is no UTF-8 is replaced, as Envoy replaces it. */
export function utf8Text(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) < 0x80) continue;
    return DECODER.decode(Buffer.from(text, "latin1")).replaceAll("\ufffd", "!");
  }
  return text;
}
