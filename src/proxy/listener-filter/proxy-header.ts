import { isIPv4, isIPv6, shortAddress } from "../../base/ip.ts";
import type { PeerAddress, ProxyTlv } from "../../match/connection-info.ts";
import { latin1 } from "../net/latin1.ts";

/** The text form and the binary one. */
export type ProxyVersion = "v1" | "v2";

/** A PROXY protocol header that could be read. */
export interface ProxyHeader {
  /** In bytes, what announces it included. */
  readonly length: number;
  /** `undefined`: the addresses of the connection itself count. */
  readonly source: PeerAddress | undefined;
  readonly destination: PeerAddress | undefined;
  /** Of the binary form, where there are any. */
  readonly tlvs?: readonly ProxyTlv[];
}

/** A header was announced: what it says, or `undefined` when it is broken. */
interface Announced {
  readonly version: ProxyVersion;
  readonly header: ProxyHeader | undefined;
}

const V1_MARK = Buffer.from("PROXY ");
const V2_MARK = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** The longest text is 107 bytes; Envoy's buffer has one more. */
const V1_BYTES_MAX = 108;
const V2_HEAD_BYTES = 16;
const PORT = /^\d{1,5}$/;

/**
 * Reads the header that a connection begins with, as HAProxy's specification has it (2.1
 * `proxy-protocol.txt`): `"more"` when that cannot be told yet, `"none"` when there is none,
 * `"endless"` for a text without an end and `"overlong"` for one whose end comes too late.
 */
export function readProxyHeader(
  bytes: Buffer,
  options: { readonly isOptional: boolean; readonly ignored: ReadonlySet<ProxyVersion> },
): Announced | "more" | "none" | "endless" | "overlong" {
  const v1 = options.ignored.has("v1") ? "no" : compare(bytes, V1_MARK);
  if (v1 === "yes") return readText(bytes);
  const v2 = options.ignored.has("v2") ? "no" : compare(bytes, V2_MARK);
  if (v2 === "yes") return readBinary(bytes);
  if (v1 === "part" || v2 === "part") return "more";
  // Where a header must stand Envoy waits for as much as could be one.
  return !options.isOptional && bytes.length < V1_MARK.length ? "more" : "none";
}

function compare(bytes: Buffer, mark: Buffer): "yes" | "part" | "no" {
  const shared = Math.min(bytes.length, mark.length);
  if (mark.compare(bytes, 0, shared, 0, shared) !== 0) return "no";
  return shared === mark.length ? "yes" : "part";
}

function readText(bytes: Buffer): Announced | "more" | "endless" | "overlong" {
  const end = bytes.indexOf("\r\n");
  if (end === -1) return bytes.length < V1_BYTES_MAX ? "more" : "endless";
  if (end + 2 > V1_BYTES_MAX) return "overlong";
  const [, family, source = "", destination = "", sourcePort = "", destinationPort = "", ...rest] =
    latin1(bytes, 0, end).split(" ");
  const length = end + 2;
  const broken = { version: "v1", header: undefined } as const;
  if (family === "UNKNOWN") {
    return { version: "v1", header: { length, source: undefined, destination: undefined } };
  }
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isIPv6 : undefined;
  if (isAddress === undefined || rest.length > 0) return broken;
  if (!isAddress(source) || !isAddress(destination)) return broken;
  if (!isPort(sourcePort) || !isPort(destinationPort)) return broken;
  const header = {
    length,
    source: { address: shortAddress(source), port: Number(sourcePort) },
    destination: { address: shortAddress(destination), port: Number(destinationPort) },
  };
  return { version: "v1", header };
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= 65_535;
}

function readBinary(bytes: Buffer): Announced | "more" {
  if (bytes.length < V2_HEAD_BYTES) return "more";
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = V2_HEAD_BYTES + bytes.readUInt16BE(14);
  const broken = { version: "v2", header: undefined } as const;
  // The version is 2, and the command LOCAL (of the proxy itself) or PROXY.
  if (command !== 0x20 && command !== 0x21) return broken;
  const isLocal = command === 0x20;
  const addressBytes = isLocal ? 0 : (ADDRESS_BYTES[family] ?? 0);
  if (!isLocal && (addressBytes === 0 || length < V2_HEAD_BYTES + 2 * addressBytes + 4)) {
    return broken;
  }
  if (bytes.length < length) return "more";
  if (isLocal) {
    return { version: "v2", header: { length, source: undefined, destination: undefined } };
  }
  const ports = V2_HEAD_BYTES + 2 * addressBytes;
  const tlvs = readTlvs(bytes.subarray(ports + 4, length));
  if (tlvs === undefined) return broken;
  const address = (at: number, portAt: number): PeerAddress => ({
    address: formatAddress(bytes.subarray(at, at + addressBytes)),
    port: bytes.readUInt16BE(portAt),
  });
  const source = address(V2_HEAD_BYTES, ports);
  const destination = address(V2_HEAD_BYTES + addressBytes, ports + 2);
  const header = { length, source, destination };
  return { version: "v2", header: tlvs.length === 0 ? header : { ...header, tlvs } };
}

/** Bytes of one address, by family and transport; like Envoy, datagrams count as well. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x11: 4, 0x12: 4, 0x21: 16, 0x22: 16 };

/** The extensions (type, length, value); `undefined` when they do not fill their place exactly. */
function readTlvs(extensions: Buffer): readonly ProxyTlv[] | undefined {
  const tlvs: ProxyTlv[] = [];
  let at = 0;
  while (at + 3 <= extensions.length) {
    const end = at + 3 + extensions.readUInt16BE(at + 1);
    if (end > extensions.length) return undefined;
    tlvs.push({ type: extensions.readUInt8(at), value: latin1(extensions, at + 3, end) });
    at = end;
  }
  return at === extensions.length ? tlvs : undefined;
}

function formatAddress(bytes: Buffer): string {
  return bytes.length === 4 ? bytes.join(".") : formatIpv6(bytes);
}

/** The text of the 16 bytes of an IPv6 address. */
export function formatIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  return shortAddress(groups.join(":"));
}
