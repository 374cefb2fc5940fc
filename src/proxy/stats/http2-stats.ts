const ZERO = {
  dropped_headers_with_underscores: 0,
  goaway_sent: 0,
  header_list_size_too_large: 0,
  header_overflow: 0,
  headers_cb_no_stream: 0,
  inbound_empty_frames_flood: 0,
  inbound_priority_frames_flood: 0,
  inbound_window_update_frames_flood: 0,
  keepalive_timeout: 0,
  outbound_control_flood: 0,
  outbound_flood: 0,
  pending_send_bytes: 0,
  requests_rejected_with_underscores_in_headers: 0,
  rx_messaging_error: 0,
  rx_reset: 0,
  stream_refused_errors: 0,
  streams_active: 0,
  trailers: 0,
  tx_flush_timeout: 0,
  tx_reset: 0,
};

/** What connections of HTTP/2 count, by Envoy's names: `http2.…`, and `cluster.<name>.http2.…`. */
export type Http2Counters = typeof ZERO;

/** Counters that are all zero: they are there with the first connection. */
export function http2Counters(): Http2Counters {
  return { ...ZERO };
}
