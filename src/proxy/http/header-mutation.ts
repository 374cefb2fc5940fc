import type { HeaderAddition, HeaderMutations } from "../../match/header-mutations.ts";
import type { MutationStep } from "../../match/mutation-steps.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { HeaderList } from "./header-list.ts";
import type { MessageHead } from "./message-head.ts";
import { isFieldValue } from "./parse-fields.ts";

/** What frames a message, or ends at this hop, is not for a configuration to write. */
const FRAMING_NAMES = ["connection", "transfer-encoding"];

/**
 * Does what the configuration says to a message about to be sent. Its framing follows: without
 * `content-length` it goes out in chunks, and no header may say another length than it has.
 * Returns the first name whose value cannot stand in a header and was left out; "" for none.
 */
export function mutateHead(
  levels: readonly HeaderMutations[],
  head: MessageHead,
  info: StreamInfo,
): string {
  const refused = applyMutations(levels, head.headers, info);
  keepFraming(head);
  return refused;
}

/** What was done to the headers of a message does not change how its body is told from the rest. */
function keepFraming(head: MessageHead): void {
  const { headers, contentLength } = head;
  for (const name of FRAMING_NAMES) headers.remove(name);
  if (contentLength === -1) headers.remove("content-length");
  else if (!headers.has("content-length")) head.contentLength = -1;
  else headers.set("content-length", String(contentLength));
}

/**
 * Makes changes one after the other in a message about to go on; its framing follows. Returns the
 * first name whose value cannot stand in a header and was left out; "" for none.
 */
export function applySteps(
  steps: readonly MutationStep[],
  head: MessageHead,
  info: StreamInfo,
): string {
  if (steps.length === 0) return "";
  const refused = mutateList(steps, head.headers, info);
  keepFraming(head);
  return refused;
}

/** The same for headers that frame nothing. */
export function mutateList(
  steps: readonly MutationStep[],
  headers: HeaderList,
  info: StreamInfo,
): string {
  let refused = "";
  for (const step of steps) {
    if (step.kind === "write") {
      const bad = applyOne(step.addition, headers, info);
      refused ||= bad;
    } else if (step.kind === "remove") headers.remove(step.name);
    else headers.removeWhere(step.matches);
  }
  return refused;
}

/**
 * Does what each level of the configuration says, one after the other: first remove, then add.
 * Returns the first name whose value cannot stand in a header and was left out; "" for none.
 */
export function applyMutations(
  levels: readonly HeaderMutations[],
  headers: HeaderList,
  info: StreamInfo,
): string {
  let refused = "";
  for (const { remove, add } of levels) {
    for (const name of remove) headers.remove(name);
    const bad = applyLevel(add, headers, info);
    refused ||= bad;
  }
  return refused;
}

function applyLevel(add: readonly HeaderAddition[], headers: HeaderList, info: StreamInfo): string {
  const [first] = add;
  if (first === undefined) return "";
  return add.length === 1 ? applyOne(first, headers, info) : applyAll(add, headers, info);
}

/** A level that adds one header only, as most do. */
function applyOne(addition: HeaderAddition, headers: HeaderList, info: StreamInfo): string {
  const value = valueFor(addition, headers, info);
  if (value === REFUSED) return addition.name;
  if (value !== undefined) write(addition, value, headers);
  return "";
}

/**
 * As in Envoy, what a level adds looks at the headers as they were before it, and what it overwrites
 * is overwritten before it adds anything.
 */
function applyAll(add: readonly HeaderAddition[], headers: HeaderList, info: StreamInfo): string {
  let refused = "";
  const values = add.map((addition) => {
    const value = valueFor(addition, headers, info);
    if (value === REFUSED) refused ||= addition.name;
    return value;
  });
  writeThose(add, values, headers, true);
  writeThose(add, values, headers, false);
  return refused;
}

function writeThose(
  add: readonly HeaderAddition[],
  values: readonly (string | typeof REFUSED | undefined)[],
  headers: HeaderList,
  isOverwriting: boolean,
): void {
  for (let at = 0; at < add.length; at++) {
    const addition = add[at];
    const value = values[at];
    if (addition === undefined || typeof value !== "string") continue;
    if (overwrites(addition) === isOverwriting) write(addition, value, headers);
  }
}

/** A value that cannot stand in a header: what a client escaped may have been decoded. */
const REFUSED = Symbol("refused");

/** What is written; `undefined` when nothing is. */
function valueFor(
  addition: HeaderAddition,
  headers: HeaderList,
  info: StreamInfo,
): string | typeof REFUSED | undefined {
  const { name, action } = addition;
  const value = addition.value(info);
  if (value === "" && !addition.keepsEmpty) return undefined;
  if (!isFieldValue(value)) return REFUSED;
  if (action === "ADD_IF_ABSENT" && headers.has(name)) return undefined;
  if (action === "OVERWRITE_IF_EXISTS" && !headers.has(name)) return undefined;
  return value;
}

function overwrites({ action }: HeaderAddition): boolean {
  return action === "OVERWRITE_IF_EXISTS" || action === "OVERWRITE_IF_EXISTS_OR_ADD";
}

function write(addition: HeaderAddition, value: string, headers: HeaderList): void {
  if (overwrites(addition)) headers.set(addition.name, value);
  else headers.add(addition.name, value);
}
