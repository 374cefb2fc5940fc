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

/** The gRPC status that a client reads from an HTTP status (gRPC, "HTTP to gRPC Status Code Mapping"). */
export function grpcStatusOf(httpStatus: number): number {
  return BY_STATUS[httpStatus] ?? UNKNOWN;
}
