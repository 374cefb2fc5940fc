import {
  type Decompressor_CommonDirectionConfig as CommonDirection,
  Decompressor_CommonDirectionConfigSchema as CommonDirectionSchema,
  DecompressorSchema,
  Decompressor_RequestDirectionConfigSchema as RequestDirectionSchema,
  Decompressor_ResponseDirectionConfigSchema as ResponseDirectionSchema,
} from "../../api/gen/envoy/extensions/filters/http/decompressor/v3/decompressor_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  DECOMPRESSED_ZERO,
  type DecompressedDirection,
  type DecompressorConfig,
  DecompressorFilter,
} from "../http-filter/decompressor.ts";
import { decodeLibrary } from "./compression-library.ts";
import { decodeFlag } from "./compressor.ts";
import { extension } from "./extension.ts";

const FIELDS = ["decompressor_library", "request_direction_config", "response_direction_config"];

/** `envoy.filters.http.decompressor` in a connection manager. */
export const DECOMPRESSOR = extension(DecompressorSchema, (message, path, issues) => {
  issues.push(...refuseFields(DecompressorSchema, message, FIELDS, path));
  const library = decodeLibrary("decompressor", message.decompressorLibrary, path, issues);
  if (library === undefined) return undefined;
  const { requestDirectionConfig: request, responseDirectionConfig: response } = message;
  const requestPath = joinPath(path, "request_direction_config");
  const responsePath = joinPath(path, "response_direction_config");
  if (request !== undefined) {
    const fields = ["common_config", "advertise_accept_encoding"];
    issues.push(...refuseFields(RequestDirectionSchema, request, fields, requestPath));
  }
  if (response !== undefined) {
    const fields = ["common_config"];
    issues.push(...refuseFields(ResponseDirectionSchema, response, fields, responsePath));
  }
  const config: DecompressorConfig = {
    library,
    request: decodeDirection(request?.commonConfig, requestPath, issues),
    response: decodeDirection(response?.commonConfig, responsePath, issues),
    advertises: request?.advertiseAcceptEncoding ?? true,
  };
  return {
    open: ({ context, statPrefix }: FilterScope) => {
      const prefix = `${statPrefix}.decompressor.${library.name}.${library.statName}`;
      const errors = context.counters.get(`${prefix}.decompressor_library`, {
        [library.errorStat]: 0,
      });
      const counters = {
        request: context.counters.get(`${prefix}.request`, DECOMPRESSED_ZERO),
        response: context.counters.get(`${prefix}.response`, DECOMPRESSED_ZERO),
        onError: () => {
          errors[library.errorStat] = (errors[library.errorStat] ?? 0) + 1;
        },
      };
      return (stream: FilterStream) => new DecompressorFilter(stream, config, counters);
    },
  };
});

function decodeDirection(
  message: CommonDirection | undefined,
  path: string,
  issues: Issue[],
): DecompressedDirection {
  const at = joinPath(path, "common_config");
  if (message !== undefined) {
    const fields = ["enabled", "ignore_no_transform_header"];
    issues.push(...refuseFields(CommonDirectionSchema, message, fields, at));
  }
  return {
    isEnabled: decodeFlag(message?.enabled, joinPath(at, "enabled"), issues),
    ignoresNoTransform: message?.ignoreNoTransformHeader === true,
  };
}
