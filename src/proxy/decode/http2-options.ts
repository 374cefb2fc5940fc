import {
  type Http2ProtocolOptions,
  Http2ProtocolOptionsSchema,
  type KeepaliveSettings,
  KeepaliveSettingsSchema,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import {
  HTTP2_DEFAULTS as DEFAULTS,
  type Http2Options,
  type KeepaliveOptions,
} from "../http2/http2-options.ts";

const FIELDS = [
  "hpack_table_size",
  "max_concurrent_streams",
  "initial_stream_window_size",
  "initial_connection_window_size",
  "allow_connect",
  "max_outbound_frames",
  "max_outbound_control_frames",
  "max_consecutive_inbound_frames_with_empty_payload",
  "max_inbound_priority_frames_per_stream",
  "max_inbound_window_update_frames_per_data_frame_sent",
  "stream_error_on_invalid_http_messaging",
  "override_stream_error_on_invalid_http_message",
  "connection_keepalive",
  // Chooses between two libraries of Envoy's that do the same.
  "use_oghttp2_codec",
];

const KEEPALIVE_FIELDS = ["interval", "timeout", "interval_jitter", "connection_idle_interval"];
/** Envoy's default, in percent. */
const JITTER = 15;

/**
 * Decodes how HTTP/2 is spoken; `undefined` is Envoy's defaults. `endsStreamOnError` is what holds
 * where the options do not say it themselves: the connection manager's own word.
 */
export function decodeHttp2Options(
  message: Http2ProtocolOptions | undefined,
  path: string,
  issues: Issue[],
  endsStreamOnError?: boolean,
): Http2Options {
  if (message === undefined) {
    return endsStreamOnError === true ? { ...DEFAULTS, endsStreamOnError } : DEFAULTS;
  }
  issues.push(...refuseFields(Http2ProtocolOptionsSchema, message, FIELDS, path));
  const {
    overrideStreamErrorOnInvalidHttpMessage: override,
    streamErrorOnInvalidHttpMessaging: old,
    maxConsecutiveInboundFramesWithEmptyPayload: emptyFramesMax,
    maxInboundWindowUpdateFramesPerDataFrameSent: windowUpdatesMax,
  } = message;
  return {
    hpackTableSize: message.hpackTableSize ?? DEFAULTS.hpackTableSize,
    maxConcurrentStreams: message.maxConcurrentStreams ?? DEFAULTS.maxConcurrentStreams,
    streamWindow: message.initialStreamWindowSize ?? DEFAULTS.streamWindow,
    connectionWindow: message.initialConnectionWindowSize ?? DEFAULTS.connectionWindow,
    allowsConnect: message.allowConnect,
    outboundFramesMax: message.maxOutboundFrames ?? DEFAULTS.outboundFramesMax,
    outboundControlFramesMax: message.maxOutboundControlFrames ?? DEFAULTS.outboundControlFramesMax,
    emptyFramesMax: emptyFramesMax ?? DEFAULTS.emptyFramesMax,
    priorityFramesMax: message.maxInboundPriorityFramesPerStream ?? DEFAULTS.priorityFramesMax,
    windowUpdatesMax: windowUpdatesMax ?? DEFAULTS.windowUpdatesMax,
    endsStreamOnError: override ?? endsStreamOnError ?? old,
    keepalive: decodeKeepalive(
      message.connectionKeepalive,
      joinPath(path, "connection_keepalive"),
      issues,
    ),
  };
}

function decodeKeepalive(
  message: KeepaliveSettings | undefined,
  path: string,
  issues: Issue[],
): KeepaliveOptions | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(KeepaliveSettingsSchema, message, KEEPALIVE_FIELDS, path));
  return {
    intervalMs: durationMs(message.interval) ?? 0,
    timeoutMs: durationMs(message.timeout) ?? 0,
    jitterPercent: message.intervalJitter?.value ?? JITTER,
    idleIntervalMs: durationMs(message.connectionIdleInterval) ?? 0,
  };
}
