import { CODE, FRAME_BYTES_MAX, SETTING, WINDOW_BYTES_MAX } from "./frame.ts";
import type { HpackEncoder } from "./hpack-encoder.ts";

/** What the peer said of itself. */
export interface PeerSettings {
  maxConcurrentStreams: number;
  /** Of a stream's window. */
  initialWindow: number;
  /** Whether it takes extended CONNECT. */
  allowsConnect: boolean;
}

const FRAME_BYTES_LIMIT = 16_777_215;

/** Takes over the settings in `buffer[from, to)`; gives what is wrong with them, one of `CODE`. */
export function readSettings(
  buffer: Buffer,
  from: number,
  to: number,
  peer: PeerSettings,
  encoder: HpackEncoder,
): number {
  for (let at = from; at < to; at += 6) {
    const value = buffer.readUInt32BE(at + 2);
    switch (buffer.readUInt16BE(at)) {
      case SETTING.headerTableSize:
        encoder.setTableSize(value);
        break;
      case SETTING.enablePush:
        if (value > 1) return CODE.protocolError;
        break;
      case SETTING.maxConcurrentStreams:
        peer.maxConcurrentStreams = value;
        break;
      case SETTING.initialWindowSize:
        if (value > WINDOW_BYTES_MAX) return CODE.flowControlError;
        peer.initialWindow = value;
        break;
      case SETTING.maxFrameSize:
        if (value < FRAME_BYTES_MAX || value > FRAME_BYTES_LIMIT) return CODE.protocolError;
        // Larger frames are of no use here, and would stand in the way of other streams.
        break;
      case SETTING.enableConnectProtocol:
        if (value > 1 || (peer.allowsConnect && value === 0)) return CODE.protocolError;
        peer.allowsConnect = value === 1;
        break;
      default:
    }
  }
  return CODE.noError;
}
