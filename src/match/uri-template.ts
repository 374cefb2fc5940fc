import type { Result } from "../base/issue.ts";
import { compileCapture, compileRegex } from "./regex.ts";

/** A path with variables, `/media/{country}/*`, compiled. */
export interface UriTemplate {
  readonly variables: readonly string[];
  /** Whether the whole path, without its query, has this form. */
  readonly test: (path: string) => boolean;
  /** What the variables stand for; `undefined` when the path has another form. */
  readonly capture: (path: string) => readonly string[] | undefined;
}

const NAME_LENGTH_MAX = 16;
const VARIABLES_MAX = 5;

/** What a path may hold literally (RFC 3986, pchar), but for `*`, `{` and `}`. */
const LITERAL = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";
const LITERAL_TEXT = new RegExp(`^[${LITERAL}]*$`);
const ONE_SEGMENT = `[${LITERAL}]+`;
const ANY_SEGMENTS = `[${LITERAL}/]*`;

/** Why a template cannot be read. */
class TemplateProblem extends Error {}

/**
 * Compiles the path template of `envoy.path.match.uri_template`: literals, `*` (within a segment),
 * `**` (any number of segments, only as the last of its kind), `{name}`, `{name=pattern}`.
 */
export function compileUriTemplate(template: string): Result<UriTemplate> {
  try {
    const variables: string[] = [];
    const pattern = templatePattern(template, variables);
    const test = compileRegex(pattern);
    if (!test.ok) return test;
    const capture = compileCapture(pattern);
    if (!capture.ok) return capture;
    const { value: regex } = test;
    return {
      ok: true,
      value: { variables, test: (path) => regex.test(path), capture: capture.value },
    };
  } catch (error) {
    return problem(error, `path_match_policy.path_template ${template} is invalid`);
  }
}

/**
 * Compiles the rewrite of `envoy.path.rewrite.uri_template`: a path in which `{name}` stands for
 * what the template found.
 */
export function compileTemplateRewrite(
  rewrite: string,
  template: UriTemplate,
): Result<(path: string) => string> {
  try {
    const parts = parseRewrite(rewrite, template.variables);
    return {
      ok: true,
      value: (path) => {
        const values = template.capture(path);
        if (values === undefined) return path;
        return parts.map((part) => (typeof part === "string" ? part : values[part])).join("");
      },
    };
  } catch (error) {
    return problem(error, `path_template_rewrite ${rewrite} is invalid`);
  }
}

function problem(
  error: unknown,
  what: string,
): { ok: false; issues: { path: string; message: string }[] } {
  if (!(error instanceof TemplateProblem)) throw error;
  return { ok: false, issues: [{ path: "", message: `${what}: ${error.message}` }] };
}

function templatePattern(template: string, variables: string[]): string {
  if (!template.startsWith("/")) throw new TemplateProblem('it does not begin with "/"');
  const state = { hasRest: false };
  let pattern = "";
  let at = 0;
  while (at < template.length) {
    if (template[at] === "{") {
      const end = template.indexOf("}", at);
      if (end === -1) throw new TemplateProblem("a { is not closed");
      pattern += variablePattern(template.substring(at + 1, end), variables, state);
      at = end + 1;
      continue;
    }
    const next = template.indexOf("{", at);
    const end = next === -1 ? template.length : next;
    pattern += literalPattern(template.substring(at, end), state);
    at = end;
  }
  if (/\/\//.test(template)) throw new TemplateProblem("it has an empty segment");
  return pattern;
}

function variablePattern(source: string, variables: string[], state: { hasRest: boolean }): string {
  const equals = source.indexOf("=");
  const name = equals === -1 ? source : source.substring(0, equals);
  if (!/^[A-Za-z]\w*$/.test(name) || name.length > NAME_LENGTH_MAX) {
    throw new TemplateProblem(`"${name}" is no name of a variable`);
  }
  if (variables.includes(name)) throw new TemplateProblem(`two variables are named ${name}`);
  variables.push(name);
  if (variables.length > VARIABLES_MAX) {
    throw new TemplateProblem(`it has more than ${VARIABLES_MAX} variables`);
  }
  const inner = equals === -1 ? "*" : source.substring(equals + 1);
  if (inner === "") throw new TemplateProblem(`the variable ${name} has no pattern`);
  return `(${literalPattern(inner, state)})`;
}

/** Text with stars in it. */
function literalPattern(text: string, state: { hasRest: boolean }): string {
  return text
    .split(/(\*+|\/)/)
    .map((piece) => {
      if (piece === "/" || piece === "") return piece;
      if (state.hasRest && piece.startsWith("*")) {
        throw new TemplateProblem("** must be the last operator");
      }
      if (piece === "*") return ONE_SEGMENT;
      if (piece === "**") {
        state.hasRest = true;
        return ANY_SEGMENTS;
      }
      if (!LITERAL_TEXT.test(piece)) {
        throw new TemplateProblem(`"${piece}" has a character that no path has`);
      }
      return piece.replace(/[^\w]/g, "\\$&");
    })
    .join("");
}

function parseRewrite(rewrite: string, variables: readonly string[]): (string | number)[] {
  if (!rewrite.startsWith("/")) throw new TemplateProblem('it does not begin with "/"');
  const parts: (string | number)[] = [];
  for (const [piece] of rewrite.matchAll(/\{[^}]*\}?|[^{]+/g)) {
    const name = /^\{([A-Za-z]\w*)\}$/.exec(piece)?.[1];
    if (name !== undefined) {
      const at = variables.indexOf(name);
      if (at === -1) throw new TemplateProblem(`the template has no variable ${name}`);
      parts.push(at);
    } else if (LITERAL_TEXT.test(piece.replaceAll("/", "")) && !piece.includes("//")) {
      parts.push(piece);
    } else throw new TemplateProblem(`"${piece}" is no part of a path`);
  }
  return parts;
}
