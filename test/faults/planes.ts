import type { XdsVariant } from "../behaviour/proxy-process.ts";
import { findProgram } from "../programs.ts";

const envoy = findProgram("envoy");

/** The data planes of this machine, by their word: weft's own, and Envoy where it is. */
export const PLANES: Readonly<Record<string, string | undefined>> =
  envoy === undefined ? { weft: undefined } : { weft: undefined, envoy };

/** The ways to ask a control plane that are served. */
export const VARIANTS: readonly XdsVariant[] = ["sotw"];
