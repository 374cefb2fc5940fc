/**
 * Text of a configuration as it goes over the wire: UTF-8, one character for each byte (Latin-1),
 * which is how heads are read, compared and written.
 */
export function wireText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Small letters for those of ASCII; other bytes may be a part of any character. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
