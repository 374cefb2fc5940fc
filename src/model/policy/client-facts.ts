import { memoise } from "../../base/memo.ts";
import type { LookupFamily } from "../cluster.ts";
import { lookupFamilyOf } from "../dns-lookup.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ProxyNode } from "../proxy.ts";

/** What of a client decides how its clusters look; the same value for clients that are alike. */
export interface ClientFacts {
  readonly settings: MeshSettings;
  readonly isGateway: boolean;
  /** Whether nothing is captured, so that no connection has an original destination. */
  readonly isPortable: boolean;
  readonly isWeft: boolean;
  /** Whether an agent hands it certificates over SDS. */
  readonly hasCertificates: boolean;
  readonly lookupFamily: LookupFamily;
}

/** What is decisive of a proxy, as text: every proxy is an object of its own. */
export function factsText(proxy: ProxyNode): string {
  const { type, interceptionMode, isWeft, hasCertificates } = proxy;
  const facts: Omit<ClientFacts, "settings"> = {
    isGateway: type === "router",
    isPortable: interceptionMode === "NONE",
    isWeft,
    hasCertificates,
    lookupFamily: lookupFamilyOf(proxy),
  };
  return JSON.stringify(facts);
}

/** The facts in a text, and what the mesh has said. */
export const factsOf = memoise(
  (settings: MeshSettings, text: string): ClientFacts => ({
    settings,
    ...(JSON.parse(text) as Omit<ClientFacts, "settings">),
  }),
);
