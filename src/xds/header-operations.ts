import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  HeaderValueOption_HeaderAppendAction,
  type HeaderValueOptionSchema,
} from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { HeaderOperations } from "../model/route.ts";

/** The four lists that say what happens to headers, on routes and on weighted clusters alike. */
export interface HeaderFields {
  readonly requestHeadersToAdd: MessageInitShape<typeof HeaderValueOptionSchema>[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: MessageInitShape<typeof HeaderValueOptionSchema>[];
  readonly responseHeadersToRemove: string[];
}

/** Header operations on the wire, in the order of Istio's: what is set, then what is added. */
export function headerFields(request: HeaderOperations, response: HeaderOperations): HeaderFields {
  return {
    requestHeadersToAdd: headersToAdd(request),
    requestHeadersToRemove: [...request.remove],
    responseHeadersToAdd: headersToAdd(response),
    responseHeadersToRemove: [...response.remove],
  };
}

function headersToAdd({
  write,
}: HeaderOperations): MessageInitShape<typeof HeaderValueOptionSchema>[] {
  return write.map(({ name, value, isAdded }) => ({
    header: { key: name, value },
    appendAction: isAdded
      ? HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD
      : HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  }));
}
