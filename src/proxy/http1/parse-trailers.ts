import type { HeaderList } from "../http/header-list.ts";
import { RESPONSE_NAMES } from "../http/header-name.ts";
import { type HeadError, MessageHead } from "../http/message-head.ts";
import { parseFields, type UnderscoreAction } from "../http/parse-fields.ts";

/** How trailers are read: like the headers of the same side. */
export interface TrailerOptions {
  readonly headerCountMax: number;
  readonly underscores: UnderscoreAction;
}

/** No name means anything in a trailer: the message has been framed and routed before. */
const NAMES = { ...RESPONSE_NAMES, kinds: new Uint8Array(RESPONSE_NAMES.kinds.length) };

/** Parses the trailer lines of one message, with the empty line that ends them. */
export function parseTrailers(text: string, options: TrailerOptions): HeaderList | HeadError {
  const head = new MessageHead();
  return parseFields(text, 0, text.length - 2, head, NAMES, options) ?? head.headers;
}
