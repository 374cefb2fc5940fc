const DECODER = new TextDecoder();

/** Text as it came over the wire, for protobuf; what is no UTF-8 is replaced, as Envoy replaces it. */
export function utf8Text(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) < 0x80) continue;
    return DECODER.decode(Buffer.from(text, "latin1")).replaceAll("\ufffd", "!");
  }
  return text;
}
