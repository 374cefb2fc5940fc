import { formatHostPort, formatIpv4, isIPv4, isIPv6, parseIpv4 } from "../../base/ip.ts";
import type { PeerAddress } from "../connection-info.ts";
import type { StreamInfo } from "../stream-info.ts";
import { type Field, type Operator, type OperatorTable, plain } from "./operator.ts";

type AddressReader = (info: StreamInfo) => PeerAddress | undefined;

/** The four operators about one address. */
function addressOperators(name: string, read: AddressReader): OperatorTable {
  const prefix = name.replace(/_ADDRESS$/, "");
  return {
    [name]: plain((info) => {
      const address = read(info);
      if (address === undefined) return undefined;
      // Port 0 is that of a Unix socket, which is a path; or of a stream without a client.
      if (address.port === 0 && !isIPv4(address.address)) return address.address;
      return formatHostPort(address.address, address.port);
    }),
    [`${name}_WITHOUT_PORT`]: withoutPort(read),
    [`${prefix}_PORT`]: plain((info) => read(info)?.port || undefined),
    // Only addresses of Envoy's internal listeners have one.
    [`${name}_ENDPOINT_ID`]: plain((info) => (read(info) === undefined ? undefined : "")),
  };
}

function withoutPort(read: AddressReader): Operator {
  return {
    argument: "optional",
    takesLength: false,
    create(argument): Field {
      if (!/^\d+$/.test(argument)) return (info) => read(info)?.address;
      const length = Number(argument);
      return (info) => {
        const address = read(info)?.address;
        return address === undefined ? undefined : maskAddress(address, length);
      };
    },
  };
}

/** The network of an address, `10.1.0.0/16`; no more bits than it has. */
function maskAddress(address: string, bits: number): string | undefined {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== undefined) {
    const length = Math.min(32, bits);
    const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
    return `${formatIpv4((ipv4 & mask) >>> 0)}/${length}`;
  }
  if (!isIPv6(address)) return undefined;
  const length = Math.min(128, bits);
  const words = ipv6Words(address).map((word, at) => {
    const kept = Math.min(16, Math.max(0, length - at * 16));
    return word & ((0xffff << (16 - kept)) & 0xffff);
  });
  return `${shortenIpv6(words)}/${length}`;
}

function ipv6Words(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const first = words(head);
  if (tail === undefined) return first;
  const last = words(tail);
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

/** The form of RFC 5952: the longest run of zeros, of two words or more, is left out. */
function shortenIpv6(words: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < words.length; at++) {
    let end = at;
    while (words[end] === 0) end++;
    if (end - at > best.length) best = { at, length: end - at };
  }
  const hex = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(":");
  if (best.at === -1) return hex(words);
  return `${hex(words.slice(0, best.at))}::${hex(words.slice(best.at + best.length))}`;
}

/** What is read from the two ends of both connections. */
export const ADDRESS_OPERATORS: OperatorTable = {
  ...addressOperators("DOWNSTREAM_REMOTE_ADDRESS", ({ remote }) => remote),
  ...addressOperators(
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    ({ connection }) => connection.directRemote,
  ),
  ...addressOperators("DOWNSTREAM_LOCAL_ADDRESS", ({ connection }) => connection.local),
  ...addressOperators("DOWNSTREAM_DIRECT_LOCAL_ADDRESS", ({ connection }) => connection.local),
  ...addressOperators("UPSTREAM_LOCAL_ADDRESS", ({ upstream }) => upstream.localAddress),
  ...addressOperators("UPSTREAM_REMOTE_ADDRESS", ({ upstream }) => upstream.remoteAddress),
};
