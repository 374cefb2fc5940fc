import { memoise } from "../../base/memo.ts";
import type { VirtualService } from "../virtual-service.ts";

/**
 * The hosts that a VirtualService sends to, each with the ports that it names there; no ports
 * where one destination names none, which may mean any.
 */
export const destinationsOf = memoise(
  ({ rules, tlsRules, tcpRules }: VirtualService): ReadonlyMap<string, ReadonlySet<number>> => {
    const ports = new Map<string, Set<number>>();
    const anyPort = new Set<string>();
    const add = (host: string, port: number | undefined): void => {
      const known = ports.get(host) ?? new Set();
      ports.set(host, known);
      if (port === undefined) anyPort.add(host);
      else known.add(port);
    };
    // Rules, not the object's own list: a delegate's are among them.
    for (const { destinations } of [...rules, ...tlsRules, ...tcpRules]) {
      for (const { host, port } of destinations) add(host, port);
    }
    for (const { mirrors } of rules) {
      for (const { destination } of mirrors) add(destination.host, destination.port);
    }
    return new Map([...ports].map(([host, known]) => [host, anyPort.has(host) ? NONE : known]));
  },
);

const NONE: ReadonlySet<number> = new Set();
