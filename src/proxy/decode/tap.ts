import {
  type HttpHeadersMatch,
  HttpHeadersMatchSchema,
  type MatchPredicate,
  MatchPredicateSchema,
} from "../../api/gen/envoy/config/common/matcher/v3/matcher_pb.js";
import type { HeaderMatcher } from "../../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  OutputSink_Format as Format,
  OutputConfigSchema,
  type OutputSink,
  OutputSinkSchema,
  type TapConfig as TapConfigMessage,
  TapConfigSchema,
} from "../../api/gen/envoy/config/tap/v3/common_pb.js";
import {
  type CommonExtensionConfig,
  CommonExtensionConfigSchema,
} from "../../api/gen/envoy/extensions/common/tap/v3/common_pb.js";
import { TapSchema } from "../../api/gen/envoy/extensions/filters/http/tap/v3/tap_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { compileHeaderMatch, compileResponseHeaderMatch } from "../../match/header-match.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { decodeRuntimeShare } from "../../match/runtime-reader.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { TAP_ZERO, TapFilter } from "../http-filter/tap.ts";
import { fileTarget } from "../tap/file-sink.ts";
import type {
  TapConfig,
  TapFormat,
  TapOutput,
  TapPredicate,
  TapTarget,
} from "../tap/tap-config.ts";
import { extension } from "./extension.ts";

/** Envoy's own. */
const BODY_BYTES_MAX = 1024;

/** `envoy.filters.http.tap`. */
export const TAP = extension(TapSchema, (message, path, issues) => {
  const fields = ["common_config", "record_headers_received_time", "record_downstream_connection"];
  issues.push(...refuseFields(TapSchema, message, fields, path));
  const common = message.commonConfig;
  const at = joinPath(path, "common_config");
  if (common === undefined) {
    issues.push({ path: at, message: "is missing" });
    return undefined;
  }
  const kinds = ["admin_config", "static_config"];
  issues.push(...refuseFields(CommonExtensionConfigSchema, common, kinds, at));
  const source = decodeSource(common.configType, at, issues);
  if (source === undefined) return undefined;
  const { recordHeadersReceivedTime: recordsTimes, recordDownstreamConnection } = message;
  return {
    open: (scope: FilterScope) => {
      const counters = scope.context.counters.get(`${scope.statPrefix}.tap`, TAP_ZERO);
      const find = source(scope);
      const options = {
        find,
        recordsTimes,
        recordsConnection: recordDownstreamConnection,
        counters,
      };
      return (stream: FilterStream) => new TapFilter(stream, options);
    },
  };
});

/** Where a filter finds what it taps. */
type Source = (scope: FilterScope) => () => TapTarget | undefined;

function decodeSource(
  type: CommonExtensionConfig["configType"],
  path: string,
  issues: Issue[],
): Source | undefined {
  if (type.case === "adminConfig") {
    const { configId } = type.value;
    return ({ context: { taps } }) => {
      taps.ids.add(configId);
      return () => taps.find(configId);
    };
  }
  if (type.case !== "staticConfig") return undefined;
  const at = joinPath(path, "static_config");
  const config = decodeTapConfig(type.value, at, issues);
  if (config === undefined) return undefined;
  const { output } = config;
  if (output.kind !== "file") {
    const what = "only a configuration that comes over the admin port can go there";
    issues.push({ path: joinPath(at, "output_config.sinks[0]"), message: what });
    return undefined;
  }
  return ({ context }) => {
    const target = fileTarget(config, output.prefix, context.log.scope("file"));
    return () => target;
  };
}

/** Decodes what is tapped and where that goes; `undefined` when it is wrong. */
export function decodeTapConfig(
  message: TapConfigMessage,
  path: string,
  issues: Issue[],
): TapConfig | undefined {
  const before = issues.length;
  const fields = ["match", "output_config", "tap_enabled"];
  issues.push(...refuseFields(TapConfigSchema, message, fields, path));
  const { match, outputConfig, tapEnabled } = message;
  const outputPath = joinPath(path, "output_config");
  if (match === undefined) issues.push({ path: joinPath(path, "match"), message: "is missing" });
  if (outputConfig === undefined) issues.push({ path: outputPath, message: "is missing" });
  if (match === undefined || outputConfig === undefined) return undefined;
  const known = ["sinks", "max_buffered_rx_bytes", "max_buffered_tx_bytes", "streaming"];
  issues.push(...refuseFields(OutputConfigSchema, outputConfig, known, outputPath));
  const [sink, ...more] = outputConfig.sinks;
  const sinkPath = joinPath(outputPath, "sinks[0]");
  if (sink === undefined || more.length > 0) {
    issues.push({ path: joinPath(outputPath, "sinks"), message: "must have exactly one entry" });
    return undefined;
  }
  const format = FORMATS[sink.format];
  if (format === undefined) {
    const what = `${Format[sink.format] ?? sink.format} is not supported yet`;
    issues.push({ path: joinPath(sinkPath, "format"), message: what });
  }
  const output = decodeOutput(sink, sinkPath, issues);
  const enabled =
    tapEnabled && decodeRuntimeShare(tapEnabled, joinPath(path, "tap_enabled"), issues);
  const matches = compilePredicate(match, joinPath(path, "match"), issues);
  if (issues.length > before || format === undefined || output === undefined) return undefined;
  return {
    matches,
    enabled,
    isStreaming: outputConfig.streaming,
    requestBytesMax: outputConfig.maxBufferedRxBytes ?? BODY_BYTES_MAX,
    responseBytesMax: outputConfig.maxBufferedTxBytes ?? BODY_BYTES_MAX,
    format,
    output,
  };
}

const FORMATS: Readonly<Partial<Record<Format, TapFormat>>> = {
  [Format.JSON_BODY_AS_BYTES]: "JSON_BODY_AS_BYTES",
  [Format.JSON_BODY_AS_STRING]: "JSON_BODY_AS_STRING",
  [Format.PROTO_BINARY]: "PROTO_BINARY",
  [Format.PROTO_BINARY_LENGTH_DELIMITED]: "PROTO_BINARY_LENGTH_DELIMITED",
};

function decodeOutput(sink: OutputSink, path: string, issues: Issue[]): TapOutput | undefined {
  const fields = ["format", "file_per_tap", "streaming_admin", "buffered_admin"];
  issues.push(...refuseFields(OutputSinkSchema, sink, fields, path));
  const { outputSinkType: type } = sink;
  if (type.case === "filePerTap") return { kind: "file", prefix: type.value.pathPrefix };
  if (type.case === "streamingAdmin") return { kind: "streamingAdmin" };
  if (type.case !== "bufferedAdmin") {
    if (type.case === undefined) issues.push({ path, message: "says not where traces go" });
    return undefined;
  }
  const timeoutMs = durationMs(type.value.timeout) ?? 0;
  return { kind: "bufferedAdmin", tracesMax: Number(type.value.maxTraces), timeoutMs };
}

const RULES = [
  "any_match",
  "and_match",
  "or_match",
  "not_match",
  "http_request_headers_match",
  "http_response_headers_match",
];

/** Three-valued: what depends on a head that has not come is not known yet. */
function compilePredicate(message: MatchPredicate, path: string, issues: Issue[]): TapPredicate {
  issues.push(...refuseFields(MatchPredicateSchema, message, RULES, path));
  const { rule } = message;
  switch (rule.case) {
    case "anyMatch":
      return () => true;
    case "andMatch": {
      const all = compileAll(rule.value.rules, joinPath(path, "and_match"), issues);
      return (seen) => {
        const known = all.map((one) => one(seen));
        return known.includes(false) ? false : known.includes(undefined) ? undefined : true;
      };
    }
    case "orMatch": {
      const all = compileAll(rule.value.rules, joinPath(path, "or_match"), issues);
      return (seen) => {
        const known = all.map((one) => one(seen));
        return known.includes(true) ? true : known.includes(undefined) ? undefined : false;
      };
    }
    case "notMatch": {
      const inner = compilePredicate(rule.value, joinPath(path, "not_match"), issues);
      return (seen) => {
        const known = inner(seen);
        return known === undefined ? undefined : !known;
      };
    }
    case "httpRequestHeadersMatch": {
      const at = joinPath(path, "http_request_headers_match");
      const tests = headerTests(rule.value, at, issues, compileHeaderMatch);
      return ({ request }) => tests.every((test) => test.matches(request));
    }
    case "httpResponseHeadersMatch": {
      const at = joinPath(path, "http_response_headers_match");
      const tests = headerTests(rule.value, at, issues, compileResponseHeaderMatch);
      return ({ response }) => response && tests.every((test) => test(response));
    }
    case "httpRequestTrailersMatch":
    case "httpResponseTrailersMatch":
    case "httpRequestGenericBodyMatch":
    case "httpResponseGenericBodyMatch":
      // Refused above.
      return () => false;
    case undefined:
      issues.push({ path, message: "has no rule" });
      return () => false;
  }
}

function compileAll(
  rules: readonly MatchPredicate[],
  path: string,
  issues: Issue[],
): readonly TapPredicate[] {
  return rules.map((rule, at) => compilePredicate(rule, joinPath(path, `rules[${at}]`), issues));
}

function headerTests<T>(
  message: HttpHeadersMatch,
  path: string,
  issues: Issue[],
  compile: (matcher: HeaderMatcher, path: string, issues: Issue[]) => T,
): readonly T[] {
  issues.push(...refuseFields(HttpHeadersMatchSchema, message, ["headers"], path));
  return message.headers.map((one, at) => compile(one, joinPath(path, `headers[${at}]`), issues));
}
