/** As much of Go's text templates as the peers' cases use: fields, index, range, if, pipes. */
type Scope = Readonly<Record<string, unknown>>;

interface Node {
  /** Text, an action, or a block with its two bodies. */
  readonly text?: string;
  readonly action?: string;
  readonly block?: "if" | "range";
  readonly body?: readonly Node[];
  readonly otherwise?: readonly Node[];
}

/** Fills a template in; throws for what it does not know. */
export function renderTemplate(template: string, values: Scope): string {
  const tokens = template
    .replaceAll(/\s*\{\{-/g, "{{")
    .replaceAll(/-\}\}\s*/g, "}}")
    .split(/(\{\{.*?\}\})/s);
  const position = { at: 0 };
  return renderNodes(parse(tokens, position).nodes, { ...values, ".": values });
}

function parse(
  tokens: readonly string[],
  position: { at: number },
): { readonly nodes: readonly Node[]; readonly end: string } {
  const nodes: Node[] = [];
  while (position.at < tokens.length) {
    const token = tokens[position.at++] ?? "";
    if (!token.startsWith("{{")) {
      nodes.push({ text: token });
      continue;
    }
    const action = token.slice(2, -2).trim();
    const word = action.split(/\s/, 1)[0] ?? "";
    if (word === "end" || word === "else") return { nodes, end: word };
    if (word !== "if" && word !== "range") {
      nodes.push({ action });
      continue;
    }
    const body = parse(tokens, position);
    const otherwise = body.end === "else" ? parse(tokens, position).nodes : [];
    nodes.push({
      action: action.slice(word.length).trim(),
      block: word,
      body: body.nodes,
      otherwise,
    });
  }
  return { nodes, end: "" };
}

function renderNodes(nodes: readonly Node[], outer: Scope): string {
  const scope: Record<string, unknown> = { ...outer };
  return nodes.map((node) => renderNode(node, scope)).join("");
}

function renderNode(node: Node, scope: Record<string, unknown>): string {
  const { text, action = "", block, body = [], otherwise = [] } = node;
  if (text !== undefined) return text;
  if (block === "if") return renderNodes(isTrue(evaluate(action, scope)) ? body : otherwise, scope);
  if (block === "range") return renderRange(action, body, scope);
  const set = /^(\$\w+)\s*:=\s*(.*)$/s.exec(action);
  if (set === null) return written(evaluate(action, scope));
  scope[set[1] ?? ""] = evaluate(set[2] ?? "", scope);
  return "";
}

function written(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "<no value>");
}

function renderRange(action: string, body: readonly Node[], scope: Scope): string {
  const named = /^(?:(\$\w+)\s*,\s*)?(\$\w+)\s*:=\s*(.*)$/s.exec(action);
  const list = evaluate(named?.[3] ?? action, scope) as readonly unknown[];
  return list
    .map((value, index) =>
      renderNodes(body, {
        ...scope,
        ".": value,
        ...(named?.[1] !== undefined && { [named[1]]: index }),
        ...(named?.[2] !== undefined && { [named[2]]: value }),
      }),
    )
    .join("");
}

function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/** A pipe of calls: each gets what the one before gave as its last argument. */
function evaluate(expression: string, scope: Scope): unknown {
  let piped: unknown;
  let isFirst = true;
  for (const part of splitTop(expression, "|")) {
    const words = splitTop(part.trim(), " ").filter((word) => word !== "");
    piped = call(words, scope, isFirst ? [] : [piped]);
    isFirst = false;
  }
  return piped;
}

function call(words: readonly string[], scope: Scope, more: readonly unknown[]): unknown {
  const [name = "", ...rest] = words;
  const args = (): readonly unknown[] => [...rest.map((word) => operand(word, scope)), ...more];
  switch (name) {
    case "index": {
      const [list, at] = args();
      return (list as readonly unknown[])[Number(at)];
    }
    case "default": {
      const [fallback, value] = args();
      return isTrue(value) ? value : fallback;
    }
    case "replace": {
      const [from, to, value] = args();
      return String(value).replaceAll(String(from), String(to));
    }
    case "len":
      return (args()[0] as readonly unknown[]).length;
    default:
      return operand(name, scope);
  }
}

function operand(word: string, scope: Scope): unknown {
  if (word.startsWith('"')) return JSON.parse(word);
  if (/^\d+$/.test(word)) return Number(word);
  if (word.startsWith("(")) {
    const close = word.lastIndexOf(")");
    return fields(evaluate(word.slice(1, close), scope), word.slice(close + 1));
  }
  if (word.startsWith("$")) {
    const [variable = "", ...path] = word.split(".");
    return fields(scope[variable], path.length === 0 ? "" : `.${path.join(".")}`);
  }
  if (word === ".") return scope["."];
  if (word.startsWith(".")) return fields(scope["."], word);
  throw new Error(`cannot evaluate ${word}`);
}

function fields(value: unknown, path: string): unknown {
  return path
    .split(".")
    .filter((name) => name !== "")
    .reduce((one, name) => (one as Scope | undefined)?.[name], value);
}

/** Splits outside of quotes and parentheses. */
function splitTop(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let current = "";
  for (const char of text) {
    if (char === '"') isQuoted = !isQuoted;
    if (!isQuoted && char === "(") depth++;
    if (!isQuoted && char === ")") depth--;
    if (char === separator && depth === 0 && !isQuoted) {
      parts.push(current);
      current = "";
    } else {
      current += char;
    }
  }
  return [...parts, current];
}
