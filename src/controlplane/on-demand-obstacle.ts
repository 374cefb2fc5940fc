import type { ClientNode } from "../ads/snapshot-source.ts";
import type { ProxyNode } from "../model/proxy.ts";

/** The first Envoy that looks virtual hosts up over ADS. */
const ENVOY_MAJOR = 1;
const ENVOY_MINOR = 37;

/** Why a proxy cannot look up virtual hosts on demand, in words; `undefined` when it can. */
export function onDemandObstacle(client: ClientNode, { isWeft }: ProxyNode): string | undefined {
  if (client.variant !== "delta") {
    return "the proxy asks for the state of the world: set api_type DELTA_GRPC";
  }
  if (isWeft) return undefined;
  const version = /^envoy (\d+)\.(\d+)\./.exec(client.userAgent);
  const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
  if (major > ENVOY_MAJOR || (major === ENVOY_MAJOR && minor >= ENVOY_MINOR)) return undefined;
  const agent = client.userAgent === "" ? "the proxy does not say what it is" : client.userAgent;
  return `${agent}: virtual hosts are looked up over ADS from Envoy ${ENVOY_MAJOR}.${ENVOY_MINOR} on`;
}
