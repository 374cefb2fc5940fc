import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { ConnectionInfo, ProxyTlv } from "../../match/connection-info.ts";
import { ipv4Bytes, ipv6Bytes, twoBytes } from "./ip-bytes.ts";

const V2_MARK = "\r\n\r\n\0\r\nQUIT\n";
/** The proxy speaks for itself: no addresses. */
const V2_LOCAL = `${V2_MARK}\x20\0\0\0`;

/**
 * The header that tells a TCP server whom the proxy speaks for (HAProxy, `proxy-protocol.txt`
 * 2.1 and 2.2), with extensions in its second form; Latin-1, one character for each byte. What came
 * in one header fits in another.
 */
export function encodeProxyHeader(
  version: "V1" | "V2",
  { remote, local }: Pick<ConnectionInfo, "remote" | "local">,
  tlvs: readonly ProxyTlv[] = [],
): string {
  const isV4 = isIPv4(remote.address) && isIPv4(local.address);
  const isV6 = isIPv6(remote.address) && isIPv6(local.address);
  if (!isV4 && !isV6) return version === "V1" ? "PROXY UNKNOWN\r\n" : V2_LOCAL;
  if (version === "V1") {
    const family = isV4 ? "TCP4" : "TCP6";
    return `PROXY ${family} ${remote.address} ${local.address} ${remote.port} ${local.port}\r\n`;
  }
  const encode = isV4 ? ipv4Bytes : ipv6Bytes;
  const body =
    encode(remote.address) +
    encode(local.address) +
    twoBytes(remote.port) +
    twoBytes(local.port) +
    tlvs
      .map(({ type, value }) => String.fromCharCode(type) + twoBytes(value.length) + value)
      .join("");
  return `${V2_MARK}\x21${isV4 ? "\x11" : "\x21"}${twoBytes(body.length)}${body}`;
}
