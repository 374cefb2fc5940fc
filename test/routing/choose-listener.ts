import type { Address } from "../../src/api/gen/envoy/config/core/v3/address_pb.js";
import type { Listener } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { isIPv4 } from "../../src/base/ip.ts";
import type { FullCall } from "./call.ts";

/** What Istio calls the listeners that redirected connections come in by. */
const VIRTUAL_INBOUND = "virtualInbound";
const VIRTUAL_OUTBOUND = "virtualOutbound";

/**
 * The listener that takes a call. What comes in to a redirected proxy is all for one; what goes out
 * is handed on to the listener of its original destination, else of its port, else kept.
 */
export function chooseListener(
  listeners: readonly Listener[],
  { mode, address, port }: FullCall,
): Listener | undefined {
  const named = (name: string) => listeners.find((listener) => listener.name === name);
  if (mode === "inbound" && named(VIRTUAL_INBOUND) !== undefined) return named(VIRTUAL_INBOUND);
  const at = (wanted: string) =>
    listeners.find(({ address: own, additionalAddresses }) =>
      [own, ...additionalAddresses.map((one) => one.address)].some((one) =>
        isAt(one, wanted, port),
      ),
    );
  const wildcard = isIPv4(address) ? at("0.0.0.0") : (at("::") ?? at("0.0.0.0"));
  return at(address) ?? wildcard ?? named(VIRTUAL_OUTBOUND);
}

function isAt(own: Address | undefined, address: string, port: number): boolean {
  if (own?.address.case !== "socketAddress") return false;
  const { address: text, portSpecifier } = own.address.value;
  return text === address && portSpecifier.case === "portValue" && portSpecifier.value === port;
}
