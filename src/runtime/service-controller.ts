import { formatIpv4 } from "../base/ip.ts";
import type { Service } from "../config/service.ts";
import type { Storage } from "../storage/storage.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import { objectKey, parseKey, startController } from "./controller.ts";
import { hashNumber } from "./short-hash.ts";
import { writeStatus } from "./write-status.ts";

const SERVICE_NETWORK = 0x0a60_0000; // 10.96.0.0/16
const SERVICE_NETWORK_SIZE = 0x1_0000;

/** Gives every service its address, and load balancers the one where the host's ports are. */
export function startServiceController(deps: ControllerDeps): Controller {
  return startController(deps, {
    name: "service",
    watches: [{ group: "", kind: "Service", keys: (object) => [objectKey(object)] }],
    reconcile: (key) => reconcile(deps.storage, key),
    // One after the other: two services must not be given one address.
    concurrency: 1,
  });
}

async function reconcile(storage: Storage, key: string): Promise<void> {
  const found = storage.get({ group: "", kind: "Service", ...parseKey(key) }) as
    | Service
    | undefined;
  if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
  let service = found;
  const { type = "ClusterIP", clusterIP } = service.spec;
  if (type !== "ExternalName" && (clusterIP === undefined || clusterIP === "")) {
    const address = allocate(storage, key);
    const spec: Service["spec"] = {
      ...service.spec,
      type,
      clusterIP: address,
      clusterIPs: [address],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    };
    const next: Service = { ...service, spec };
    service = (await storage.update(next)) as Service;
  }
  // Load balancers lead to host ports, which are on loopback.
  const loadBalancer = type === "LoadBalancer" ? { ingress: [{ ip: "127.0.0.1" }] } : {};
  await writeStatus(storage, service, { loadBalancer });
}

/** A free address; begins where the service's name leads, so that the same mesh gets the same ones. */
function allocate(storage: Storage, key: string): string {
  const taken = new Set(
    (storage.list({ group: "", kind: "Service" }).items as Service[]).map((s) => s.spec.clusterIP),
  );
  const first = hashNumber(key);
  for (let step = 0; step < SERVICE_NETWORK_SIZE - 2; step++) {
    // Neither the network's own address nor the last one.
    const offset = 1 + ((first + step) % (SERVICE_NETWORK_SIZE - 2));
    const address = formatIpv4(SERVICE_NETWORK + offset);
    if (!taken.has(address)) return address;
  }
  throw new Error("no address is free in 10.96.0.0/16");
}
