import { Buffer, isUtf8 } from "node:buffer";

/**
 * Text for collectors, of text as it came over the wire (one character for each byte): UTF-8 where it
 * is that, else with each byte that is none replaced. One bad header must not spoil a whole report.
 */
export function spanText(wire: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII.
  if (/^[\0-\x7f]*$/.test(wire)) return wire;
  const bytes = Buffer.from(wire, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : wire.replace(/[^\0-\x7f]/g, "\ufffd");
}
