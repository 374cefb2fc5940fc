import type { HeaderMutations } from "../../match/header-mutations.ts";
import type { EntryFormat, LogFilter } from "../access-log/access-log.ts";
import type { HeaderList } from "./header-list.ts";
import { applyMutations } from "./header-mutation.ts";
import type { HttpStreamInfo } from "./http-stream-info.ts";
import type { LocalReply } from "./local-reply.ts";
import type { ResponseHead } from "./message-head.ts";

/** How the body of a local reply is written. */
export interface BodyFormat {
  readonly format: EntryFormat;
  readonly contentType: string;
}

/** What becomes of some of the local replies. */
export interface ReplyMapper {
  /** Which ones; `undefined`: none. */
  readonly filter: LogFilter | undefined;
  /** `undefined`: as it is. */
  readonly status: number | undefined;
  readonly body: string | undefined;
  readonly headers: readonly HeaderMutations[];
  readonly format: BodyFormat | undefined;
}

/** What a connection manager makes of its local replies (`LocalReplyConfig`). */
export interface LocalReplyConfig {
  /** The first that matches counts. */
  readonly mappers: readonly ReplyMapper[];
  /** For those whose mapper has none. */
  readonly format: BodyFormat | undefined;
}

/** What the filters and formats look at, kept up to date while a reply takes shape. */
export interface ShapedStream {
  status: number;
  responseHeaders: HeaderList | undefined;
  readonly info: HttpStreamInfo;
}

/** What goes out instead; `head` has the reply's headers and may get more. */
export function shapeReply(
  { mappers, format }: LocalReplyConfig,
  reply: LocalReply,
  head: ResponseHead,
  stream: ShapedStream,
): LocalReply {
  const { info } = stream;
  stream.status = reply.status;
  stream.responseHeaders = head.headers;
  let { status, body } = reply;
  const mapper = mappers.find(({ filter }) => filter?.(info) === true);
  if (mapper !== undefined) {
    body = mapper.body ?? body;
    applyMutations(mapper.headers, head.headers, info);
    status = mapper.status ?? status;
    stream.status = status;
  }
  const bodyFormat = mapper?.format ?? format;
  if (bodyFormat === undefined) return { ...reply, status, body };
  info.localReplyBody = body;
  body = bodyFormat.format(info);
  info.localReplyBody = "";
  return { ...reply, status, body, contentType: bodyFormat.contentType };
}
