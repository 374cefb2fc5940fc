import { memoise } from "../base/memo.ts";
import { type LabelSelector, matchLabelSelector } from "../config/label-selector.ts";
import type { Namespace } from "../config/namespace.ts";
import type { KubeObject } from "../config/object.ts";
import type { ConfigView } from "../store/store.ts";

/** The label that Kubernetes gives every namespace: its own name. */
const NAME_LABEL = "kubernetes.io/metadata.name";

type Selectors = readonly LabelSelector[];

/**
 * The view without the namespaces that no selector selects (MeshConfig's `discoverySelectors`); the
 * same view where there is no selector. Objects outside of namespaces stay. As in Istio no namespace
 * is an exception, the root namespace neither.
 */
export function discoveredView(view: ConfigView, selectors: Selectors): ConfigView {
  if (selectors.length === 0) return view;
  const selection = selectionOf(view.list<Namespace>("", "Namespace"), selectors);
  return {
    list: <T extends KubeObject>(group: string, kind: string, namespace?: string) =>
      selectFrom(view.list<T>(group, kind, namespace), selection) as readonly T[],
    get: (key) => (selection.has(key.namespace) ? view.get(key) : undefined),
  };
}

/** The namespaces that are selected. */
interface Selection {
  has(namespace: string): boolean;
}

/** One that nobody wrote down has its name for a label. */
const selectionOf = memoise((namespaces: readonly Namespace[], selectors: Selectors): Selection => {
  const labels = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels]));
  const known = new Map([["", true]]);
  return {
    has: (namespace) => {
      const before = known.get(namespace);
      if (before !== undefined) return before;
      const own = { [NAME_LABEL]: namespace, ...labels.get(namespace) };
      const isSelected = selectors.some((selector) => matchLabelSelector(selector, own));
      known.set(namespace, isSelected);
      return isSelected;
    },
  };
});

/** The same list as long as nothing that it depends on changes, as those of a view are. */
const selectFrom = memoise((objects: readonly KubeObject[], selection: Selection) => {
  const kept = objects.filter(({ metadata }) => selection.has(metadata.namespace ?? ""));
  return kept.length === objects.length ? objects : kept;
});
