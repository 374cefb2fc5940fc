import { showJson } from "./json.ts";
import { checkOperator } from "./kind/command-operators.ts";

/** `NAME%` or `NAME(argument)%`, after the percent sign that starts it. */
const OPERATOR = /^([A-Z][A-Z0-9_]*)(?:\(([^)]*)\))?%/;

/**
 * What is wrong with a header's value, or `undefined`. `%…%` is a command operator of Envoy's and
 * `%%` a percent sign; a proxy refuses all of its routes for one that is not closed.
 */
export function checkHeaderValue(value: string): string | undefined {
  const control = checkHeaderText(value);
  if (control !== undefined) return control;
  let at = value.indexOf("%");
  while (at !== -1) {
    const rest = value.slice(at + 1);
    const [whole, name, argument] = rest.startsWith("%") ? ["%"] : (OPERATOR.exec(rest) ?? []);
    if (whole === undefined) {
      return `"%" must start a command operator like %REQ(name)% or be written "%%": got ${showJson(value)}`;
    }
    const wrong = name === undefined ? undefined : checkOperator(name, argument);
    if (wrong !== undefined) return wrong;
    at = value.indexOf("%", at + 1 + whole.length);
  }
  return undefined;
}

/** What is wrong with a text that stands in a header as it is, or `undefined`. */
export function checkHeaderText(text: string): string | undefined {
  if (!Array.from(text).some(isControl)) return undefined;
  return `must not have control characters: got ${showJson(text)}`;
}

/** All but the tab would end the header, or the whole head. */
function isControl(char: string): boolean {
  const code = char.charCodeAt(0);
  return (code < 0x20 && code !== 0x09) || code === 0x7f;
}
