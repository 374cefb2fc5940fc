import type { JsonValue } from "@bufbuild/protobuf";
import { formatHostPort } from "../../base/ip.ts";
import type { PageRequest, Rendered } from "./page.ts";

/** Which addresses listeners have, as text or in the shape of Envoy's `Listeners`. */
export function renderListeners({ state: { listeners }, query }: PageRequest): Rendered {
  if (query.get("format") !== "json") {
    const lines = listeners.active.flatMap(({ config, boundAddresses }) =>
      boundAddresses.map(({ address, port }) => `${config.name}::${formatBound(address, port)}\n`),
    );
    return { body: lines.join("") };
  }
  const statuses = listeners.active.map(({ config, boundAddresses }): JsonValue => {
    const [own = null, ...additional] = boundAddresses.map(socketAddress);
    return {
      name: config.name,
      local_address: own,
      ...(additional.length === 0 ? {} : { additional_local_addresses: additional }),
    };
  });
  return { body: { listener_statuses: statuses } };
}

function formatBound(address: string, port: number): string {
  return address.startsWith("/") ? address : formatHostPort(address, port);
}

function socketAddress({ address, port }: { address: string; port: number }): JsonValue {
  if (address.startsWith("/")) return { pipe: { path: address } };
  return { socket_address: { address, port_value: port } };
}
