import type { CelEnv, CelValue } from "@bufbuild/cel";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Issue, Result } from "../base/issue.ts";
import { streamAttributes } from "./cel/attributes.ts";
import { type CelNode, walk } from "./cel/nodes.ts";
import { celPackages } from "./cel/packages.ts";
import { checkPaths } from "./cel/paths.ts";
import type { StreamInfo } from "./stream-info.ts";

/** What an expression may do besides: the fields of Envoy's `CelExpressionConfig`. */
export const CEL_EXTRAS = {
  convert: "enable_string_conversion",
  join: "enable_string_concat",
  functions: "enable_string_functions",
} as const;
export type CelExtra = (typeof CEL_EXTRAS)[keyof typeof CEL_EXTRAS];

/** What an expression comes to for one stream; `undefined` where it has an error. */
export type CelExpression = (info: StreamInfo) => CelValue | undefined;

/** A bound of what one evaluation may cost, with that there are no loops. */
const LENGTH_MAX = 4096;

/**
 * Compiles an expression over Envoy's attributes. As in Envoy there are no loops (`all`, `exists`,
 * `map`), functions have to be known, and nothing looks at types before there are values; patterns
 * have to be literals.
 */
export function compileCel(text: string, extras: ReadonlySet<string>): Result<CelExpression> {
  if (text.length > LENGTH_MAX) return refuse(`has more than ${LENGTH_MAX} characters`);
  let root: CelNode;
  try {
    root = celPackages().parse(text).expr;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return refuse(`Not able to parse expression: ${cause}`);
  }
  const patterns = new Map<string, (text: string) => boolean>();
  const env = createEnv(extras, patterns);
  const issues: Issue[] = [];
  const tell = (message: string): void => {
    issues.push({ path: "", message: `expression "${text}": ${message}` });
  };
  walk(root, (node) => checkNode(node, { env, extras, patterns, tell }));
  checkPaths(root, tell);
  if (issues.length > 0) return { ok: false, issues };
  const { plan, isCelError } = celPackages();
  const evaluate = plan(env, root);
  return {
    ok: true,
    value: (info) => {
      const value = evaluate(streamAttributes(info));
      return isCelError(value) ? undefined : value;
    },
  };
}

function refuse(message: string): Result<never> {
  return { ok: false, issues: [{ path: "", message }] };
}

type Patterns = Map<string, (text: string) => boolean>;

const ADD = "_+_";
const NANOS = 1_000_000_000n;

function createEnv(extras: ReadonlySet<string>, patterns: Patterns): CelEnv {
  const { celEnv, celError, celFunc, CelScalar, listType, objectType, strings } = celPackages();
  const { STRING, BYTES, DYN } = CelScalar;
  const list = listType(DYN);
  const timestamp = objectType(TimestampSchema);
  const duration = objectType(DurationSchema);
  const noJoin = (): never => {
    throw celError("strings and lists are not joined");
  };
  const funcs = [
    celFunc(ADD, [list, list], list, noJoin),
    // The package answers with a moment.
    celFunc("_-_", [timestamp, timestamp], duration, ({ message: to }, { message: from }) => {
      const nanos = (to.seconds - from.seconds) * NANOS + BigInt(to.nanos - from.nanos);
      return create(DurationSchema, { seconds: nanos / NANOS, nanos: Number(nanos % NANOS) });
    }),
  ];
  if (!extras.has(CEL_EXTRAS.join)) {
    funcs.push(celFunc(ADD, [STRING, STRING], STRING, noJoin));
    funcs.push(celFunc(ADD, [BYTES, BYTES], BYTES, noJoin));
  }
  return celEnv({
    funcs: extras.has(CEL_EXTRAS.functions) ? [...strings, ...funcs] : funcs,
    re2: { compile: (pattern) => ({ test: patterns.get(pattern) ?? (() => false) }) },
  });
}

/** Operators that are no functions of the environment. */
const OPERATORS: ReadonlySet<string> = new Set(["_[_]", "_?_:_", "_&&_", "_||_"]);

interface CheckContext {
  readonly env: CelEnv;
  readonly extras: ReadonlySet<string>;
  readonly patterns: Patterns;
  readonly tell: (message: string) => void;
}

function checkNode({ exprKind: kind }: CelNode, context: CheckContext): void {
  const { env, extras, patterns, tell } = context;
  if (kind.case === "comprehensionExpr") return tell("Comprehension is not allowed");
  if (kind.case !== "callExpr") return;
  const { function: name, target, args } = kind.value;
  if (OPERATORS.has(name)) return;
  if (name === "string" && !extras.has(CEL_EXTRAS.convert)) {
    return tell("string() needs enable_string_conversion");
  }
  const namespace = target?.exprKind.case === "identExpr" ? target.exprKind.value.name : "";
  if (env.funcs.find(name) === undefined && env.funcs.find(`${namespace}.${name}`) === undefined) {
    return tell(`there is no function ${name}()`);
  }
  if (name !== "matches") return;
  const pattern = args.at(-1)?.exprKind;
  const constant = pattern?.case === "constExpr" ? pattern.value.constantKind : undefined;
  if (constant?.case !== "stringValue") return tell("the pattern of matches() must be a literal");
  try {
    const regex = celPackages().RE2JS.compile(constant.value);
    patterns.set(constant.value, (value) => regex.test(value));
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
  }
}
