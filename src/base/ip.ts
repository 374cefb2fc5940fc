import { isIPv4, isIPv6, SocketAddress } from "node:net";

/** An IPv4 address as an unsigned 32-bit number. */
export function parseIpv4(text: string): number | undefined {
  if (!isIPv4(text)) return undefined;
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The dotted form of an unsigned 32-bit number. */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

export { isIPv4, isIPv6 };

/** The one form of an IPv6 address that RFC 5952 recommends; any other text as it is. */
export function shortAddress(text: string): string {
  return isIPv6(text) ? new SocketAddress({ address: text, family: "ipv6" }).address : text;
}

/** `address:port`, an IPv6 address in brackets. */
export function formatHostPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Splits `host:port` and `[v6]:port`; the port is absent where there is none. */
export function parseHostPort(text: string): { host: string; port?: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return isIPv6(text) ? { host: text } : undefined;
  const host = match[1] ?? match[2] ?? "";
  if (match[3] === undefined) return { host };
  const port = Number(match[3]);
  return port > 65_535 ? undefined : { host, port };
}
