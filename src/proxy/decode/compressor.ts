import type { RuntimeFeatureFlag } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type Compressor_CommonDirectionConfig as CommonDirection,
  Compressor_CommonDirectionConfigSchema as CommonDirectionSchema,
  type Compressor,
  CompressorOverridesSchema,
  CompressorPerRouteSchema,
  CompressorSchema,
  Compressor_RequestDirectionConfigSchema as RequestDirectionSchema,
  ResponseDirectionOverridesSchema,
  Compressor_ResponseDirectionConfigSchema as ResponseDirectionSchema,
} from "../../api/gen/envoy/extensions/filters/http/compressor/v3/compressor_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeRuntimeFlag, isOn, type RuntimeReader } from "../../match/runtime-reader.ts";
import { compileStringMatch, type StringPredicate } from "../../match/string-match.ts";
import { lowerAscii, wireText } from "../../match/wire-text.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  type CompressedDirection,
  type CompressorConfig,
  CompressorFilter,
  type CompressorSettings,
  DIRECTION_ZERO,
  RESPONSE_ZERO,
} from "../http-filter/compressor.ts";
import { decodeLibrary } from "./compression-library.ts";
import { extension } from "./extension.ts";

const FIELDS = [
  "content_length",
  "content_type",
  "disable_on_etag_header",
  "remove_accept_encoding_header",
  "runtime_enabled",
  "compressor_library",
  "request_direction_config",
  "response_direction_config",
  "choose_first",
];

/** `envoy.filters.http.compressor` in a connection manager. */
export const COMPRESSOR = extension(CompressorSchema, (message, path, issues) => {
  issues.push(...refuseFields(CompressorSchema, message, FIELDS, path));
  const library = decodeLibrary("compressor", message.compressorLibrary, path, issues);
  if (library === undefined) return undefined;
  const request = message.requestDirectionConfig;
  const requestPath = joinPath(path, "request_direction_config");
  if (request !== undefined) {
    issues.push(...refuseFields(RequestDirectionSchema, request, ["common_config"], requestPath));
  }
  const config: CompressorConfig = {
    library,
    request: request && decodeDirection(request.commonConfig, requestPath, issues),
    ...decodeResponse(message, path, issues),
    isFirst: message.chooseFirst,
  };
  return {
    open: ({ context, name, statPrefix }: FilterScope) => {
      const prefix = `${statPrefix}.compressor.${library.name}.${library.statName}`;
      const counters = {
        common: context.counters.get(prefix, RESPONSE_ZERO),
        request: context.counters.get(`${prefix}.request`, DIRECTION_ZERO),
        response: context.counters.get(`${prefix}${config.responseStat}`, DIRECTION_ZERO),
      };
      return (stream: FilterStream) => new CompressorFilter(stream, name, config, counters);
    },
  };
});

const RESPONSE_FIELDS = [
  "common_config",
  "disable_on_etag_header",
  "weaken_etag_on_compress",
  "remove_accept_encoding_header",
  "uncompressible_response_codes",
  "status_header_enabled",
];

/** The older fields count where there is no message for responses. */
function decodeResponse(
  message: Compressor,
  path: string,
  issues: Issue[],
): Omit<CompressorConfig, "library" | "request" | "isFirst"> {
  const given = message.responseDirectionConfig;
  if (given === undefined) {
    const { contentLength, contentType, runtimeEnabled: enabled } = message;
    return {
      response: {
        isEnabled: decodeFlag(enabled, joinPath(path, "runtime_enabled"), issues),
        bytesMin: contentLength || BYTES_MIN,
        allowsType: compileTypes(contentType.length > 0 ? contentType : TYPES, []),
      },
      responseStat: "",
      refusesEtag: message.disableOnEtagHeader,
      weakensEtag: false,
      removesAcceptEncoding: message.removeAcceptEncodingHeader,
      statuses: new Set(),
      tellsStatus: false,
    };
  }
  const at = joinPath(path, "response_direction_config");
  issues.push(...refuseFields(ResponseDirectionSchema, given, RESPONSE_FIELDS, at));
  const codes = given.uncompressibleResponseCodes;
  if (new Set(codes).size < codes.length) {
    const what = "must not have the same item twice";
    issues.push({ path: joinPath(at, "uncompressible_response_codes"), message: what });
  }
  return {
    response: decodeDirection(given.commonConfig, at, issues),
    responseStat: ".response",
    refusesEtag: given.disableOnEtagHeader,
    weakensEtag: given.weakenEtagOnCompress,
    removesAcceptEncoding: given.removeAcceptEncodingHeader,
    statuses: new Set(codes),
    tellsStatus: given.statusHeaderEnabled,
  };
}

/** Envoy's defaults, which 0 stands for too. */
const BYTES_MIN = 30;
const TYPES: readonly string[] = [
  "application/javascript",
  "application/json",
  "application/xhtml+xml",
  "image/svg+xml",
  "text/css",
  "text/html",
  "text/plain",
  "text/xml",
];

function decodeDirection(
  message: CommonDirection | undefined,
  path: string,
  issues: Issue[],
): CompressedDirection {
  const at = joinPath(path, "common_config");
  const fields = ["enabled", "min_content_length", "content_type", "content_type_matcher"];
  if (message !== undefined) {
    issues.push(...refuseFields(CommonDirectionSchema, message, fields, at));
  }
  const matchers = (message?.contentTypeMatcher ?? []).map((matcher, index) =>
    compileStringMatch(matcher, joinPath(at, `content_type_matcher[${index}]`), issues),
  );
  const types = message?.contentType ?? [];
  return {
    isEnabled: decodeFlag(message?.enabled, joinPath(at, "enabled"), issues),
    bytesMin: message?.minContentLength || BYTES_MIN,
    allowsType: compileTypes(types.length > 0 || matchers.length > 0 ? types : TYPES, matchers),
  };
}

function compileTypes(
  types: readonly string[],
  matchers: readonly StringPredicate[],
): StringPredicate {
  const exact = new Set(types.map((type) => lowerAscii(wireText(type))));
  return (type) => exact.has(lowerAscii(type)) || matchers.some((matches) => matches(type));
}

/** On unless somebody says otherwise. */
export function decodeFlag(
  message: RuntimeFeatureFlag | undefined,
  path: string,
  issues: Issue[],
): (runtime: RuntimeReader) => boolean {
  if (message === undefined) return () => true;
  const flag = decodeRuntimeFlag(message, path, issues);
  return (runtime) => isOn(flag, runtime);
}

/** Whether a route is compressed, and by what. */
export const COMPRESSOR_OF_ROUTE = extension(
  CompressorPerRouteSchema,
  (message, path, issues): CompressorSettings => {
    issues.push(
      ...refuseFields(CompressorPerRouteSchema, message, ["disabled", "overrides"], path),
    );
    const { override } = message;
    if (override.case !== "overrides") return { ...NOTHING_SAID, isDisabled: true };
    const at = joinPath(path, "overrides");
    const fields = ["response_direction_config", "compressor_library"];
    issues.push(...refuseFields(CompressorOverridesSchema, override.value, fields, at));
    const { responseDirectionConfig: response, compressorLibrary: library } = override.value;
    if (response !== undefined) {
      const handled = ["remove_accept_encoding_header"];
      const where = joinPath(at, "response_direction_config");
      issues.push(...refuseFields(ResponseDirectionOverridesSchema, response, handled, where));
    }
    return {
      ...NOTHING_SAID,
      isResponseEnabled: response !== undefined,
      removesAcceptEncoding: response?.removeAcceptEncodingHeader,
      library: library && decodeLibrary("compressor", library, at, issues),
    };
  },
);

const NOTHING_SAID: CompressorSettings = {
  filter: "compressor",
  isDisabled: false,
  isResponseEnabled: false,
  removesAcceptEncoding: undefined,
  library: undefined,
};
