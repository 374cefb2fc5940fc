import type { Ingress } from "../../config/ingress.ts";
import type { IngressClass } from "../../config/ingress-class.ts";
import type { IngressSettings } from "../mesh-settings.ts";

/** The controller that an IngressClass names to be served here (Istio's). */
const CONTROLLER = "istio.io/ingress-controller";

/** The older way of naming a class. */
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";

/**
 * Whether an Ingress is for this mesh: its annotation says so, else the class it names, else, where
 * the mesh serves those too (`ingressControllerMode: DEFAULT`), that it names none.
 */
export function isServed(
  { metadata, spec }: Ingress,
  classes: ReadonlyMap<string, IngressClass>,
  { mode, className }: IngressSettings,
): boolean {
  if (mode === "OFF") return false;
  const annotation = metadata.annotations?.[CLASS_ANNOTATION];
  if (annotation !== undefined) {
    return annotation === className || (annotation === "" && mode === "DEFAULT");
  }
  const named = spec?.ingressClassName;
  const found = named === undefined ? undefined : classes.get(named);
  return found === undefined ? mode === "DEFAULT" : found.spec?.controller === CONTROLLER;
}
