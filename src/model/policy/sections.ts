import type {
  PortTrafficPolicy,
  TrafficPolicy as TrafficPolicyObject,
} from "../../config/traffic-policy.ts";
import type { Origin } from "../origin.ts";

/** The sections of a traffic policy, each of which replaces an earlier one as a whole. */
type SectionName = Exclude<keyof TrafficPolicyObject, "portLevelSettings">;

/** A section with its place. */
export interface Section<T> {
  readonly value: T;
  readonly origin: Origin;
}

/** What a policy says about one port, by sections; what it does not say is absent. */
export type Sections = {
  readonly [Name in SectionName]?: Section<NonNullable<TrafficPolicyObject[Name]>>;
};

/** A policy as it is written, with its place; `path` ends in `trafficPolicy`. */
export interface WrittenPolicy {
  readonly policy: TrafficPolicyObject;
  readonly origin: Origin;
}

const PORT_SECTIONS = ["loadBalancer", "connectionPool", "outlierDetection", "tls"] as const;
const SECTIONS: readonly SectionName[] = [
  ...PORT_SECTIONS,
  "tunnel",
  "proxyProtocol",
  "retryBudget",
];

/**
 * The sections that apply to a port: those of the whole rule, then those of the subset over them.
 *
 * As in Istio, an entry of `portLevelSettings` for the port stands instead of what is beside it and
 * above it: a section that it does not have is the default, and not the destination's.
 */
export function sectionsOf(layers: readonly WrittenPolicy[], port: number): Sections {
  let sections: Sections = {};
  for (const { policy, origin } of layers) {
    const ports = policy.portLevelSettings ?? [];
    const index = ports.findIndex((one) => one.port?.number === port);
    const ofPort = ports[index];
    sections =
      ofPort === undefined
        ? { ...sections, ...pick(policy, SECTIONS, origin) }
        : {
            // Only a whole destination can have a tunnel, which is for routes and not for clusters.
            ...pick(policy, ["tunnel"], origin, sections),
            ...pick(ofPort, PORT_SECTIONS, {
              key: origin.key,
              path: `${origin.path}.portLevelSettings[${index}]`,
            }),
          };
  }
  return sections;
}

function pick(
  policy: TrafficPolicyObject | PortTrafficPolicy,
  names: readonly SectionName[],
  { key, path }: Origin,
  otherwise: Sections = {},
): Sections {
  const values = policy as TrafficPolicyObject;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = values[name];
      if (value !== undefined) return [[name, { value, origin: { key, path: `${path}.${name}` } }]];
      const other = otherwise[name];
      return other === undefined ? [] : [[name, other]];
    }),
  ) as Sections;
}
