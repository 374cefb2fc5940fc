/** Rewrites the names in an encoded head; the first line is none of them. */
export type NameFormat = (text: string) => string;

/** As the format writes it, where there is one. */
export function formatNames(text: string, format: NameFormat | undefined): string {
  return format === undefined ? text : format(text);
}

/** `x-b3-flags` → `X-B3-Flags`: capital after everything but a letter or digit, as Envoy has it. */
export const properCase: NameFormat = (text) => text.replaceAll(NAMES, capitalize);

const NAMES = /(?<=\n)[^:\r\n]+(?=:)/g;

function capitalize(name: string): string {
  return name.replaceAll(/(?<![0-9A-Za-z])[a-z]/g, (letter) => letter.toUpperCase());
}
