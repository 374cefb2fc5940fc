/** Who may see an object (`exportTo`): every namespace, some, or nobody at all. */
export type Visibility = "all" | "none" | ReadonlySet<string>;

/**
 * Reads `exportTo` of an object of `ownNamespace`: `*` is all, `.` its own, `~` nobody.
 * Absent or empty, the mesh-wide default for the kind applies.
 */
export function resolveVisibility(
  exportTo: readonly string[] | undefined,
  ownNamespace: string,
  whenAbsent: readonly string[] = ["*"],
): Visibility {
  const words = exportTo === undefined || exportTo.length === 0 ? whenAbsent : exportTo;
  if (words.includes("*")) return "all";
  const namespaces = words
    .filter((word) => word !== "~")
    .map((word) => (word === "." ? ownNamespace : word));
  return namespaces.length === 0 ? "none" : new Set(namespaces);
}

/** Whether an object is seen from a namespace. */
export function isVisible(visibility: Visibility, namespace: string): boolean {
  if (visibility === "all") return true;
  return visibility !== "none" && visibility.has(namespace);
}
