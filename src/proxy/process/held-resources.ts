import type { Rejection, ResourceUpdate, WireResource } from "../../xdsclient/resource-type.ts";
import { readText } from "../decode/split-message.ts";

/** In every resource that has a name it is the first field. */
const NAME_FIELD = 1;

/**
 * What a control plane said so far, as it came: for a process that begins later. Of what was refused
 * the last good one is kept, as those have it that refused it.
 */
export class HeldResources {
  /** By type, in the order in which types came first. */
  readonly #held = new Map<string, { isWhole: boolean; byName: Map<string, WireResource> }>();

  note(typeUrl: string, update: ResourceUpdate, rejections: readonly Rejection[]): void {
    const held = this.#held.get(typeUrl) ?? { isWhole: update.isWhole, byName: new Map() };
    this.#held.set(typeUrl, held);
    const refused = new Set(rejections.map(({ name }) => name));
    const named = new Set<string>();
    for (const resource of update.resources) {
      const name = nameOf(resource);
      named.add(name);
      if (!refused.has(name)) held.byName.set(name, resource);
    }
    for (const name of update.removed) held.byName.delete(name);
    if (!update.isWhole || refused.has("")) return;
    for (const name of held.byName.keys()) if (!named.has(name)) held.byName.delete(name);
  }

  /** One update for each type that brings all of it. */
  updates(): readonly { readonly typeUrl: string; readonly update: ResourceUpdate }[] {
    return [...this.#held].map(([typeUrl, { isWhole, byName }]) => ({
      typeUrl,
      update: { resources: [...byName.values()], removed: [], isWhole, version: "" },
    }));
  }
}

function nameOf({ name, body }: WireResource): string {
  if (name !== "" || body === undefined) return name;
  try {
    return readText(body, NAME_FIELD);
  } catch {
    return "";
  }
}
