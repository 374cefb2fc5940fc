import type { Issue } from "../base/issue.ts";
import { type KubeObject, keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { ConfigView } from "../store/store.ts";
import { buildMesh, type Mesh } from "./mesh.ts";
import type { ObjectIssue } from "./origin.ts";
import { viewsOf } from "./proxy-view.ts";
import {
  destinationRuleIssues,
  gatewayIssues,
  generalIssues,
  hostClaims,
  virtualServiceIssues,
  writtenGateways,
  writtenVirtualServices,
} from "./references.ts";

/**
 * Everything that is wrong between the objects of a mesh, in the order of their kinds and age; the
 * same value for a later mesh in which just that is wrong too.
 */
export function meshIssues(mesh: Mesh): readonly ObjectIssue[] {
  return viewsOf(mesh).issues(mesh);
}

/**
 * What an object names and the mesh does not have, as warnings: it may still come. The object
 * need not be part of the view; when it is, its other version there is ignored.
 */
export function referenceIssues(object: KubeObject, view: ConfigView): readonly Issue[] {
  const text = keyText(keyOf(object));
  const mesh = buildMesh(overlay(view, object));
  const isAbout = ({ key }: { readonly key: ObjectKey }): boolean => keyText(key) === text;
  const claims = hostClaims(mesh.virtualServices);
  return [
    ...generalIssues(mesh)
      .filter((found) => keyText(found.object) === text)
      .map(({ issue }) => issue),
    ...writtenGateways(mesh)
      .filter(isAbout)
      .flatMap((one) => gatewayIssues(one, mesh)),
    ...mesh.destinationRules.filter(isAbout).flatMap((one) => destinationRuleIssues(one, mesh)),
    ...writtenVirtualServices(mesh)
      .filter(isAbout)
      .flatMap((one) => virtualServiceIssues(one, mesh, claims)),
  ];
}

/** The view with one object put in, or in the place of its older version. */
function overlay(view: ConfigView, object: KubeObject): ConfigView {
  const key = keyOf(object);
  const text = keyText(key);
  return {
    list: (group, kind, namespace) => {
      const list: readonly KubeObject[] = view.list(group, kind, namespace);
      const isOther = group !== key.group || kind !== key.kind;
      if (isOther || (namespace !== undefined && namespace !== key.namespace)) {
        return list as readonly never[];
      }
      const others = list.filter((one) => keyText(keyOf(one)) !== text);
      return [...others, object] as readonly KubeObject[] as readonly never[];
    },
    get: (wanted) => (keyText(wanted) === text ? object : view.get(wanted)) as never,
  };
}
