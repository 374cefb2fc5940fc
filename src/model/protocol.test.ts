import { expect, test } from "vitest";
import { type PortHints, selectProtocol } from "./protocol.ts";

const CASES: readonly (readonly [
  hints: Omit<PortHints, "number">,
  protocol: string,
  number?: number,
])[] = [
  [{ name: "http" }, "http"],
  [{ name: "http-web" }, "http"],
  [{ name: "HTTP2-x" }, "http2"],
  [{ name: "grpc" }, "grpc"],
  [{ name: "grpc-web" }, "grpc-web"],
  [{ name: "grpc-web-ui" }, "grpc-web"],
  [{ name: "https" }, "tls"],
  [{ name: "mongo-primary" }, "tcp"],
  [{ name: "tcp" }, "tcp"],
  [{ name: "web" }, "auto"],
  [{}, "auto"],
  // The field wins over the name, even when nobody knows what it says.
  [{ name: "http", appProtocol: "tcp" }, "tcp"],
  [{ name: "tcp", appProtocol: "HTTP" }, "http"],
  [{ name: "http", appProtocol: "example.com/own" }, "auto"],
  [{ appProtocol: "kubernetes.io/h2c" }, "http2"],
  [{ name: "http", protocol: "UDP" }, "udp"],
  // Servers that speak first cannot be sniffed.
  [{ name: "db" }, "tcp", 3306],
  [{ name: "http" }, "http", 3306],
];

const ROWS = CASES.map(([hints, protocol, number]) => ({
  hints,
  protocol,
  number: number ?? 9080,
}));

test.each(ROWS)("selectProtocol($hints) is $protocol", ({ hints, protocol, number }) => {
  expect(selectProtocol({ ...hints, number })).toBe(protocol);
});
