/** Types of frames (RFC 9113 6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames; what each means depends on the type. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** Error codes (RFC 9113 7). */
export const CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

/** Settings (RFC 9113 6.5.2, RFC 8441). */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

/** Bytes of a frame's head. */
export const HEAD_BYTES = 9;
/** The whole of RST_STREAM, and of WINDOW_UPDATE. */
export const NUMBER_FRAME_BYTES = HEAD_BYTES + 4;
/** The largest payload that everybody takes, and that we take. */
export const FRAME_BYTES_MAX = 16_384;
/** The window of a stream and of the connection before anything is said. */
export const WINDOW_BYTES = 65_535;
export const WINDOW_BYTES_MAX = 2_147_483_647;
export const STREAM_ID_MAX = 2_147_483_647;

/** What a client sends before its first frame. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** An unsigned number of four bytes, without looking at the top bit. */
export function readInt31(buffer: Buffer, at: number): number {
  return (
    ((buffer[at] ?? 0) & 127) * 0x1000000 +
    (((buffer[at + 1] ?? 0) << 16) | ((buffer[at + 2] ?? 0) << 8) | (buffer[at + 3] ?? 0))
  );
}
