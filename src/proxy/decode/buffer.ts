import {
  type Buffer as BufferMessage,
  BufferPerRouteSchema,
  BufferSchema,
} from "../../api/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { BufferFilter, type BufferSettings } from "../http-filter/buffer.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.buffer` in a connection manager. */
export const BUFFER = extension(BufferSchema, (message, path, issues) => {
  const own = decodeBuffer(message, path, issues);
  return {
    open:
      ({ name }: FilterScope) =>
      (stream: FilterStream) =>
        new BufferFilter(stream, name, own),
  };
});

/** Another bound for a route, or none: then its requests are not waited for. */
export const BUFFER_OF_ROUTE = extension(BufferPerRouteSchema, (message, path, issues) => {
  issues.push(...refuseFields(BufferPerRouteSchema, message, ["disabled", "buffer"], path));
  const { override } = message;
  if (override.case !== "buffer") return { filter: "buffer", bytesMax: undefined } as const;
  return decodeBuffer(override.value, joinPath(path, "buffer"), issues);
});

function decodeBuffer(message: BufferMessage, path: string, issues: Issue[]): BufferSettings {
  issues.push(...refuseFields(BufferSchema, message, ["max_request_bytes"], path));
  return { filter: "buffer", bytesMax: message.maxRequestBytes ?? 0 };
}
