import type { XdsVariant } from "../behaviour/proxy-process.ts";
import { findProgram } from "../programs.ts";

/** One data plane, and how it asks for its configuration. */
export interface Plane {
  /** Envoy's path; `undefined` is weft's own proxy. */
  readonly envoy: string | undefined;
  readonly variant: XdsVariant;
}

/** Planes by the name that their pods and reports have, as `envoy-delta`. */
export type Planes = Readonly<Record<string, Plane>>;

/** The ways to ask a control plane. */
export const VARIANTS: readonly XdsVariant[] = ["sotw", "delta"];

/** weft's proxy and, where `envoy` is given, that one, in each of the variants. */
export function planesOf(
  programs: readonly ("weft" | "envoy")[],
  variants: readonly XdsVariant[],
  envoy: string | undefined,
): Planes {
  const planes = programs.flatMap((program) =>
    variants.map((variant) => [
      `${program}-${variant}`,
      { envoy: program === "envoy" ? envoy : undefined, variant },
    ]),
  );
  return Object.fromEntries(planes) as Planes;
}

/** Every plane of this machine at once: a mesh has them side by side. */
export function findPlanes(): Planes {
  const envoy = findProgram("envoy");
  return planesOf(envoy === undefined ? ["weft"] : ["weft", "envoy"], VARIANTS, envoy);
}
