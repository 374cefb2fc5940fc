import type { HeaderList } from "../http/header-list.ts";

/** The end of a body in chunks, with its trailers when it has some: always in lower case. */
export function encodeLastChunk(trailers: HeaderList | undefined): string {
  return trailers === undefined ? "0\r\n\r\n" : `0\r\n${trailers.encode()}\r\n`;
}
