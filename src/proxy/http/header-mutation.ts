import type { HeaderAddition, HeaderMutations } from "../../match/header-mutations.ts";
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
  const { headers, contentLength } = head;
  const refused = applyMutations(levels, headers, info);
  for (const name of FRAMING_NAMES) headers.remove(name);
  if (contentLength === -1) headers.remove("content-length");
  else if (!headers.has("content-length")) head.contentLength = -1;
  else headers.set("content-length", String(contentLength));
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
    for (const addition of add) {
      if (!applyAddition(addition, headers, info)) refused ||= addition.name;
    }
  }
  return refused;
}

/** False when the value cannot stand in a header: what a client escaped may have been decoded. */
function applyAddition(addition: HeaderAddition, headers: HeaderList, info: StreamInfo): boolean {
  const { name, action } = addition;
  const value = addition.value(info);
  if (value === "" && !addition.keepsEmpty) return true;
  if (!isFieldValue(value)) return false;
  switch (action) {
    case "APPEND_IF_EXISTS_OR_ADD":
      headers.add(name, value);
      break;
    case "ADD_IF_ABSENT":
      if (!headers.has(name)) headers.add(name, value);
      break;
    case "OVERWRITE_IF_EXISTS_OR_ADD":
      headers.set(name, value);
      break;
    case "OVERWRITE_IF_EXISTS":
      if (headers.has(name)) headers.set(name, value);
      break;
  }
  return true;
}
