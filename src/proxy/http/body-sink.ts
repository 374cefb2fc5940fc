import type { HeaderList } from "./header-list.ts";

/** Takes a body as it is read. The bytes are only valid during the call. */
export interface BodySink {
  onBodyBytes(buffer: Buffer, from: number, to: number): void;
  /** `trailers` came behind the body, where somebody wants them. */
  onBodyEnd(trailers?: HeaderList): void;
}

/** A whole body: text of one byte for each character. */
export function writeText(sink: BodySink, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  sink.onBodyBytes(bytes, 0, bytes.length);
  sink.onBodyEnd();
}
