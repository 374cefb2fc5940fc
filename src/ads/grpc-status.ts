/** Those status codes of gRPC that a server of discovery says, with their names. */
export const GRPC_STATUS = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcStatusCode = (typeof GRPC_STATUS)[keyof typeof GRPC_STATUS];

/** How a call ends. */
export interface GrpcStatus {
  readonly code: GrpcStatusCode;
  readonly details: string;
}

/** The trailers that say it; text is percent-encoded (gRPC over HTTP2, "Responses"). */
export function statusTrailers({ code, details }: GrpcStatus): Readonly<Record<string, string>> {
  if (details === "") return { "grpc-status": String(code) };
  return { "grpc-status": String(code), "grpc-message": percentEncoded(details) };
}

function percentEncoded(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
