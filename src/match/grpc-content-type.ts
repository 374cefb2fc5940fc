const GRPC = "application/grpc";

/** gRPC over HTTP/2, PROTOCOL-HTTP2.md: `application/grpc`, or with a `+` or `;` after it. */
export function isGrpcContentType(type: string): boolean {
  if (!type.startsWith(GRPC)) return false;
  return type.length === GRPC.length || type[GRPC.length] === "+" || type[GRPC.length] === ";";
}
