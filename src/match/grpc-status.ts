import type { StreamInfo } from "./stream-info.ts";

const BY_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};
const UNKNOWN = 2;

/** The gRPC status of a response; that of its HTTP status where it names none. */
export function readGrpcStatus(info: StreamInfo): number | undefined {
  const given = info.responseTrailer("grpc-status") ?? info.responseHeader("grpc-status");
  if (given !== undefined) return /^\d+$/.test(given) ? Number(given) : -1;
  return info.status === 0 ? undefined : grpcStatusOf(info.status);
}

/** The gRPC status that a client reads from an HTTP status (gRPC, "HTTP to gRPC Status Code Mapping"). */
export function grpcStatusOf(httpStatus: number): number {
  return BY_STATUS[httpStatus] ?? UNKNOWN;
}
