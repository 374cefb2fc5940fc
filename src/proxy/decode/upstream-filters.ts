import { HTTPFaultSchema } from "../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { UpstreamCodecSchema } from "../../api/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec_pb.js";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HttpFilterConfig } from "../http/http-filter.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { FAULT } from "./fault.ts";

/** The filter that ends every chain: it sends the attempt. */
interface CodecConfig {
  readonly isCodec: true;
}

const CODEC: Extension<CodecConfig> = extension(UpstreamCodecSchema, (message, path, issues) => {
  issues.push(...refuseFields(UpstreamCodecSchema, message, [], path));
  return { isCodec: true };
});

/** Faults as the connection manager has them, but for bodies: attempts pass them on as they come. */
const FAULT_OF_ATTEMPTS: Extension<Pick<HttpFilterConfig, "open">> = {
  ...FAULT,
  decode(any, path, issues) {
    const limits = extension(HTTPFaultSchema, (message) => message.responseRateLimit !== undefined);
    if (limits.decode(any, path, []) === true) {
      const what = "is not supported yet for the attempts of a cluster";
      issues.push({ path: joinPath(path, "response_rate_limit"), message: what });
    }
    return FAULT.decode(any, path, issues);
  },
};

const FILTERS = [CODEC, FAULT_OF_ATTEMPTS] as const;

/** Decodes the filters that see each attempt of a cluster; the codec, which ends them, is left out. */
export function decodeUpstreamFilters(
  filters: readonly HttpFilter[],
  path: string,
  issues: Issue[],
): readonly HttpFilterConfig[] {
  const decoded: HttpFilterConfig[] = [];
  for (const [at, filter] of filters.entries()) {
    const filterPath = joinPath(path, `http_filters[${at}]`);
    issues.push(...refuseFields(HttpFilterSchema, filter, ["name", "typed_config"], filterPath));
    if (filter.configType.case !== "typedConfig") continue;
    const { name } = filter;
    const any = filter.configType.value;
    const found = decodeExtension<CodecConfig | Pick<HttpFilterConfig, "open">>(
      FILTERS,
      { name, any, path: filterPath },
      issues,
    );
    if (found === undefined) continue;
    const isLast = at === filters.length - 1;
    if ("open" in found) decoded.push({ ...found, name, isDisabled: false });
    else if (!isLast) {
      const what = `Error: terminal filter named ${name} of type ${name} must be the last filter in a upstream http filter chain.`;
      issues.push({ path: filterPath, message: what });
    }
    if (isLast && "open" in found) issues.push({ path: filterPath, message: NOT_TERMINAL });
  }
  return decoded;
}

const NOT_TERMINAL = `The codec filter is the only valid terminal upstream HTTP filter, use '${UpstreamCodecSchema.typeName}'`;
