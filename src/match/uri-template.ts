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

/** What a path may hold literally (RFC 3986, pchar). */
const LITERAL = "a-zA-Z0-9\\-._~%!$&'()+,;:@=*";
const LITERAL_TEXT = new RegExp(`^[${LITERAL}]*$`);
const ONE_SEGMENT = `[${LITERAL}]+`;
const ANY_SEGMENTS = `[${LITERAL}/]*`;

/** Why a template cannot be read. */
class TemplateProblem extends Error {}

/**
 * Compiles the path template of `envoy.path.match.uri_template`: literals, `*` (one segment), `**`
 * (any number of them, with no star behind it), `{name}`, `{name=pattern}`. A segment may have a
 * literal behind its star, and around its variable.
 */
export function compileUriTemplate(template: string): Result<UriTemplate> {
  try {
    const variables: string[] = [];
    const pattern = templatePattern(template, variables);
    const test = compileRegex(pattern);
    const capture = compileCapture(pattern);
    // A star that has nothing to repeat makes a template that no path has, and is not refused.
    if (!test.ok || !capture.ok) {
      return { ok: true, value: { variables, test: () => false, capture: () => undefined } };
    }
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
    return problem(error, `path_rewrite_policy.path_template_rewrite ${rewrite} is invalid`);
  }
}

function problem(
  error: unknown,
  what: string,
): { ok: false; issues: { path: string; message: string }[] } {
  if (!(error instanceof TemplateProblem)) throw error;
  return { ok: false, issues: [{ path: "", message: `${what}: ${error.message}` }] };
}

/** What was met so far, from left to right. */
interface TemplateState {
  readonly variables: string[];
  /** `**` was met: no other star may follow. */
  hasRest: boolean;
}

function templatePattern(template: string, variables: string[]): string {
  if (!template.startsWith("/")) throw new TemplateProblem(`Invalid pattern: "${template}"`);
  const segments = template.substring(1).match(/(?:\{[^}]*\}?|[^/{])+|(?<=^|\/)(?=\/|$)/g) ?? [];
  const state: TemplateState = { variables, hasRest: false };
  const patterns = segments.map((segment, at) => {
    const isLast = at === segments.length - 1;
    if (segment === "" && !isLast) throw new TemplateProblem('Invalid literal: ""');
    return segmentPattern(segment, isLast, state);
  });
  return `/${patterns.join("/")}`;
}

/** A star or a variable with literals around it, or a literal. */
function segmentPattern(segment: string, isLast: boolean, state: TemplateState): string {
  const star = /^\*{1,2}/.exec(segment)?.[0];
  if (star !== undefined) {
    const suffix = segment.substring(star.length);
    if (star === "**" && suffix !== "" && !isLast) {
      throw new TemplateProblem("Prefix match not supported.");
    }
    return starPattern(star, state) + literalPattern(suffix);
  }
  const open = segment.indexOf("{");
  if (open === -1) return literalPattern(segment);
  const close = segment.indexOf("}", open);
  if (close === -1) throw new TemplateProblem(`Unmatched variable bracket in "${segment}"`);
  const variable = variablePattern(segment.substring(open + 1, close), state);
  const suffix = segment.substring(close + 1);
  return literalPattern(segment.substring(0, open)) + variable + literalPattern(suffix);
}

function starPattern(star: string, state: TemplateState): string {
  if (state.hasRest) throw new TemplateProblem("Glob after text glob.");
  if (star === "*") return ONE_SEGMENT;
  state.hasRest = true;
  return ANY_SEGMENTS;
}

function variablePattern(source: string, state: TemplateState): string {
  const { variables } = state;
  const equals = source.indexOf("=");
  const name = equals === -1 ? source : source.substring(0, equals);
  if (!/^[A-Za-z]\w*$/.test(name) || name.length > NAME_LENGTH_MAX) {
    throw new TemplateProblem(`Invalid variable name: "${name}"`);
  }
  if (variables.includes(name)) throw new TemplateProblem(`Repeated variable name: "${name}"`);
  variables.push(name);
  if (variables.length > VARIABLES_MAX) {
    throw new TemplateProblem(`Exceeded variable count limit (${VARIABLES_MAX})`);
  }
  const inner = equals === -1 ? "*" : source.substring(equals + 1);
  if (inner === "") throw new TemplateProblem("Empty variable match");
  const parts = inner.split("/").map((part) => {
    if (part === "*" || part === "**") return starPattern(part, state);
    if (part === "") throw new TemplateProblem('Invalid literal: ""');
    if (part.startsWith("*")) throw new TemplateProblem(`Invalid variable match: "${part}"`);
    return literalPattern(part);
  });
  return `(${parts.join("/")})`;
}

/** A star inside a literal repeats the character before it: so it does in Envoy. */
function literalPattern(text: string): string {
  if (!LITERAL_TEXT.test(text)) throw new TemplateProblem(`Invalid literal: "${text}"`);
  return text.replace(/[^\w*]/g, "\\$&");
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
