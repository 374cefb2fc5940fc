import { type Address, PipeSchema } from "../../api/gen/envoy/config/core/v3/address_pb.js";
import { isIPv4, isIPv6, shortAddress } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HostAddress } from "../cluster/cluster-config.ts";
import { decodeAddress } from "./address.ts";

/** An IP address or a name with its port, or the path of a Unix socket. */
export function decodeHost(
  message: Address | undefined,
  path: string,
  areIps: boolean,
  issues: Issue[],
): HostAddress | undefined {
  if (message?.address.case === "pipe") {
    const pipe = message.address.value;
    const at = joinPath(path, "pipe");
    issues.push(...refuseFields(PipeSchema, pipe, ["path"], at));
    if (!areIps) issues.push({ path: at, message: "has no name to resolve" });
    if (!pipe.path.startsWith("/")) {
      const what = `"${pipe.path}" is not supported yet, only paths that begin with "/"`;
      issues.push({ path: joinPath(at, "path"), message: what });
    }
    return { address: pipe.path, port: 0 };
  }
  const address = decodeAddress(message, path, issues);
  if (address === undefined) return undefined;
  if (areIps && !isIPv4(address.host) && !isIPv6(address.host)) {
    issues.push({ path, message: `malformed IP address: ${address.host}` });
  }
  return { address: shortAddress(address.host), port: address.port };
}
