import type { Result } from "../../base/issue.ts";
import { isJsonObject, isSameJson, own, showJson } from "../../config/json.ts";

/** The value, or what about the patch was wrong; a patch never changes the value it was given. */
export type Patched = Result<unknown>;

/** RFC 7396: objects merge, `null` takes away, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result = new Map(Object.entries(isJsonObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, mergePatch(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** More operations than this in one patch are refused. */
const OPERATIONS_MAX = 10_000;
/** Copies of copies grow fast: all of a patch together may be as large as a body. */
const COPIED_BYTES_MAX = 3 * 1024 * 1024;

/** RFC 6902: operations one after the other; all of them or none. */
export function jsonPatch(target: unknown, patch: unknown): Patched {
  if (!Array.isArray(patch)) return refuse("a JSON patch must be a list of operations");
  if (patch.length > OPERATIONS_MAX) {
    return refuse(
      `a JSON patch must have at most ${OPERATIONS_MAX} operations: got ${patch.length}`,
    );
  }
  let value = target;
  let copiedBytes = 0;
  for (const [at, operation] of patch.entries()) {
    copiedBytes += sizeOfCopy(value, operation, COPIED_BYTES_MAX - copiedBytes);
    if (copiedBytes > COPIED_BYTES_MAX) {
      return refuse(
        `operation ${at}: the copies of a JSON patch must have at most ${COPIED_BYTES_MAX} bytes`,
      );
    }
    const result = applyOperation(value, operation);
    if (!result.ok) {
      return refuse(`operation ${at}: ${result.issues.map((one) => one.message).join(", ")}`);
    }
    value = result.value;
  }
  return { ok: true, value };
}

function applyOperation(target: unknown, operation: unknown): Patched {
  if (!isJsonObject(operation)) return refuse("must be an object");
  const { op, path, from, value } = operation as Readonly<Record<string, unknown>>;
  const names = parsePointer(path);
  if (names === undefined) return refuse(`"path" must be a JSON pointer: got ${showJson(path)}`);
  switch (op) {
    case "add":
      return edit(target, names, { insert: value });
    case "replace":
      return edit(target, names, { replace: value });
    case "remove":
      return edit(target, names, {});
    case "test": {
      const found = valueAt(target, names);
      if (found !== undefined && isSameJson(found.value, value)) return { ok: true, value: target };
      return refuse(
        `test failed: ${showJson(path)} is ${showJson(found?.value)}, not ${showJson(value)}`,
      );
    }
    case "move":
    case "copy": {
      const fromNames = parsePointer(from);
      const found = fromNames === undefined ? undefined : valueAt(target, fromNames);
      if (fromNames === undefined || found === undefined) {
        return refuse(`"from" leads nowhere: ${showJson(from)}`);
      }
      const removed: Patched =
        op === "move" ? edit(target, fromNames, {}) : { ok: true, value: target };
      return removed.ok ? edit(removed.value, names, { insert: found.value }) : removed;
    }
    default:
      return refuse(`"op" must be add, remove, replace, move, copy or test: got ${showJson(op)}`);
  }
}

/** About as many bytes as the JSON that an operation copies; looks no further than `bytesMax`. */
function sizeOfCopy(target: unknown, operation: unknown, bytesMax: number): number {
  if (!isJsonObject(operation) || own(operation, "op") !== "copy") return 0;
  const names = parsePointer(own(operation, "from"));
  const found = names === undefined ? undefined : valueAt(target, names);
  const rest: unknown[] = found === undefined ? [] : [found.value];
  let bytes = 0;
  while (rest.length > 0 && bytes <= bytesMax) {
    const value = rest.pop();
    bytes += typeof value === "string" ? value.length : 1;
    if (typeof value !== "object" || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      bytes += name.length;
      rest.push(inner);
    }
  }
  return bytes;
}

/** What to do at the end of a path; neither: take away. */
interface Edit {
  readonly insert?: unknown;
  readonly replace?: unknown;
}

function edit(target: unknown, names: readonly string[], change: Edit): Patched {
  const [name, ...rest] = names;
  const isRemoval = !("insert" in change) && !("replace" in change);
  if (name === undefined) {
    if (isRemoval) return refuse("the whole object cannot be removed");
    return { ok: true, value: "insert" in change ? change.insert : change.replace };
  }
  if (Array.isArray(target)) return editList(target, name, rest, change);
  if (!isJsonObject(target)) return refuse(`"${name}" is not in ${showJson(target)}`);
  const has = Object.hasOwn(target, name);
  if (!has && (rest.length > 0 || !("insert" in change))) return refuse(`there is no "${name}"`);
  const entries = new Map(Object.entries(target));
  if (rest.length === 0 && isRemoval) {
    entries.delete(name);
  } else {
    const result = edit(entries.get(name), rest, change);
    if (!result.ok) return result;
    entries.set(name, result.value);
  }
  return { ok: true, value: Object.fromEntries(entries) };
}

function editList(
  target: readonly unknown[],
  name: string,
  rest: readonly string[],
  change: Edit,
): Patched {
  const isInsert = rest.length === 0 && "insert" in change;
  const at = name === "-" && isInsert ? target.length : Number(name);
  const isIndex = /^(0|[1-9]\d*|-)$/.test(name) && at <= target.length - (isInsert ? 0 : 1);
  if (!isIndex) return refuse(`there is no element ${name} in a list of ${target.length}`);
  const list = [...target];
  if (isInsert) list.splice(at, 0, change.insert);
  else if (rest.length === 0 && !("replace" in change)) list.splice(at, 1);
  else {
    const result = edit(list[at], rest, change);
    if (!result.ok) return result;
    list[at] = result.value;
  }
  return { ok: true, value: list };
}

function valueAt(
  target: unknown,
  names: readonly string[],
): { readonly value: unknown } | undefined {
  let value = target;
  for (const name of names) {
    if (Array.isArray(value)) value = /^\d+$/.test(name) ? value[Number(name)] : undefined;
    else value = isJsonObject(value) ? own(value, name) : undefined;
    if (value === undefined) return undefined;
  }
  return { value };
}

function parsePointer(path: unknown): readonly string[] | undefined {
  if (path === "") return [];
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  return path
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function refuse(message: string): Patched {
  return { ok: false, issues: [{ path: "", message }] };
}
