import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kind } from "../../src/config/kind.ts";
import { KINDS } from "../../src/config/kinds.ts";
import { findCases } from "../programs.ts";

/**
 * The definitions of Istio's kinds, for an API server that has none: Istio's own where the peers'
 * cases are beside this clone, else ones that take everything.
 */
export function meshCrds(): string {
  const cases = findCases();
  if (cases !== undefined)
    return readFileSync(join(cases, "crds", "istio", "crd-all.gen.yaml"), "utf8");
  return KINDS.filter(({ origin }) => origin === "Istio")
    .map((kind) => JSON.stringify(crdOf(kind)))
    .join("\n---\n");
}

/** The name of a kind's definition: `virtualservices.networking.istio.io`. */
export function crdName({ plural, group }: Pick<Kind, "plural" | "group">): string {
  return `${plural}.${group}`;
}

function crdOf(kind: Kind): object {
  const { group, plural, singular, listKind, shortNames, isNamespaced, versions } = kind;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: crdName(kind) },
    spec: {
      group,
      names: { kind: kind.kind, plural, singular, listKind, shortNames },
      scope: isNamespaced ? "Namespaced" : "Cluster",
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
        subresources: { status: {} },
      })),
    },
  };
}
