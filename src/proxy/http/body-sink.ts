import type { HeaderList } from "./header-list.ts";

/** Takes a body as it is read. The bytes are only valid during the call. */
export interface BodySink {
  onBodyBytes(buffer: Buffer, from: number, to: number): void;
  /** `trailers` came behind the body, where somebody wants them. */
  onBodyEnd(trailers?: HeaderList): void;
}
