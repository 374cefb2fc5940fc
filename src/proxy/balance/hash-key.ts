import { wireText } from "../../match/wire-text.ts";
import type { Host } from "../cluster/host.ts";

/** Text that goes over the wire as it stands. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\0-\x7f]*$/;

/**
 * The bytes that a host is known by where requests are hashed to hosts: what its metadata says,
 * else its name or its address.
 */
export function hashKeyOf(host: Host, usesHostname: boolean): string {
  const { metadata, hostname } = host.state;
  const named = metadata["envoy.lb"]?.["hash_key"];
  if (typeof named === "string" && named !== "") return bytesOf(named);
  return usesHostname ? bytesOf(hostname) : host.key;
}

/** Asked for every host of a cluster whenever one of them changes. */
function bytesOf(text: string): string {
  return ASCII.test(text) ? text : wireText(text);
}
