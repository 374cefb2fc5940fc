import type { Condition } from "../config/condition.ts";
import type { KubeObject } from "../config/object.ts";
import type { ApiClient } from "./api-client.ts";
import { CliError } from "./command.ts";
import { compileJsonPath } from "./jsonpath.ts";
import { getObject, missingObject, type WaitObject } from "./wait-objects.ts";
import type { WaitLook } from "./wait-poll.ts";

/** Whether one object is as it is to be, as kubectl's `wait` has it. */
export type ObjectTest = (object: KubeObject) => WaitLook;

/** `TYPE` or `TYPE=STATUS` of `--for=condition=`. */
export function conditionTest(text: string): ObjectTest {
  const [type = "", status = "True", ...more] = text.split("=");
  if (type === "" || status === "" || more.length > 0) {
    throw new CliError(`--for=condition=${text} is not condition=TYPE or condition=TYPE=STATUS`);
  }
  return (object) => {
    const { status: said = {}, metadata } = object as KubeObject & { readonly status?: Status };
    const found = said.conditions?.find((one) => isSame(one.type, type));
    if (found === undefined) return { state: "waiting", text: `it has no condition ${type}` };
    const observed = found.observedGeneration ?? said.observedGeneration;
    const { generation } = metadata;
    // What was said of an earlier version says nothing of this one.
    if (observed !== undefined && generation !== undefined && observed < generation) {
      const text = `${type} speaks of generation ${observed}, and it is at ${generation}`;
      return { state: "waiting", text };
    }
    if (isSame(found.status, status)) return { state: "done", text: "condition met" };
    const words = [found.reason, found.message].filter((one) => one !== undefined && one !== "");
    return { state: "waiting", text: `${type} is ${found.status} (${words.join(": ")})` };
  };
}

interface Status {
  readonly conditions?: readonly Condition[];
  readonly observedGeneration?: number;
}

function isSame(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

/** `TEMPLATE=VALUE`, or `TEMPLATE` alone for any value, of `--for=jsonpath=`. */
export function jsonPathTest(text: string): ObjectTest {
  const end = text.lastIndexOf("}");
  const [template, rest] =
    end === -1 ? splitPlain(text) : [text.slice(0, end + 1), text.slice(end + 1)];
  if (template === "" || (rest !== "" && !rest.startsWith("="))) {
    throw new CliError(`--for=jsonpath=${text} is not jsonpath={.PATH}=VALUE or jsonpath={.PATH}`);
  }
  const braced = template.startsWith("{") ? template : `{${template}}`;
  const compiled = compileJsonPath(braced);
  if (!compiled.ok) throw new CliError(compiled.issues[0]?.message ?? "bad jsonpath");
  const wanted = rest === "" ? undefined : rest.slice(1);
  return (object) => {
    const value = compiled.value(object);
    const isMet = wanted === undefined ? value !== "" : value === wanted;
    if (isMet) return { state: "done", text: "condition met" };
    return { state: "waiting", text: `${braced} is ${value === "" ? "missing" : `"${value}"`}` };
  };
}

function splitPlain(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at)];
}

/** Tests every object as the API has it now; the first time, one that is missing is an error. */
export async function lookAtObjects(
  waiting: readonly WaitObject[],
  client: ApiClient,
  test: ObjectTest,
  isFirst: boolean,
): Promise<ReadonlyMap<WaitObject, WaitLook>> {
  const found = new Map<WaitObject, WaitLook>();
  for (const one of waiting) {
    const object = await getObject(client, one);
    if (object === undefined && isFirst) throw await missingObject(client, one);
    found.set(
      one,
      object === undefined ? { state: "failed", text: "was deleted meanwhile" } : test(object),
    );
  }
  return found;
}
