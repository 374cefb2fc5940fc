import type { Infer } from "./schema.ts";
import { array, atMostOne, map, object, string, uint32 } from "./schema.ts";

const network = object({
  name: string(),
  endpoints: array(
    object({ fromCidr: string(), fromRegistry: string() }, atMostOne("fromCidr", "fromRegistry")),
  ),
  gateways: array(
    object(
      {
        registryServiceName: string(),
        address: string(),
        port: uint32({ maximum: 65_535 }),
        locality: string(),
      },
      atMostOne("registryServiceName", "address"),
    ),
  ),
});

/** `MeshNetworks`, the key `meshNetworks` of ConfigMap `istio`. */
export const meshNetworksSchema = object({ networks: map(network) });

/** Which endpoints are in which network, and the gateways that lead into each. */
export type MeshNetworks = Infer<typeof meshNetworksSchema>;
