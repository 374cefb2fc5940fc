import { formatIssue } from "../../src/base/issue.ts";
import { decodeObject } from "../../src/config/decode.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { snapshotJson } from "../../src/xds/resource-json.ts";
import type { XdsSnapshot } from "../../src/xds/snapshot.ts";
import type { FieldExample, Raw } from "./field-examples.ts";
import { readProxies, readWorld } from "./field-examples.ts";

const world = decodeAll(readWorld());
const proxies = readProxies();

/** What becomes of an example. */
export interface Outcome {
  /** Why an object of it is refused; empty when none is. */
  readonly refused: readonly string[];
  /** All resources of all proxies, as text, where the data plane is Envoy and where it is weft's. */
  readonly envoy: string;
  readonly weft: string;
  /** All that the authors of its objects are told. */
  readonly words: readonly string[];
  readonly snapshots: readonly { readonly isWeft: boolean; readonly snapshot: XdsSnapshot }[];
}

/** The configuration of every proxy, with the example's objects in the world. */
export function outcomeOf({ object, also }: FieldExample): Outcome {
  const { objects, refused, words } = decodeAll([...also, object]);
  if (refused.length > 0) return { refused, envoy: "", weft: "", words, snapshots: [] };
  const all = new Map([...world.objects, ...objects].map((one) => [nameOf(one), one]));
  const mesh = buildMesh(viewOf([...all.values()]));
  const issues = [...meshIssues(mesh)];
  const snapshots = proxies.map((node) => {
    const built = buildSnapshot(buildProxyView(mesh, node));
    issues.push(...built.issues);
    return { isWeft: node.isWeft, snapshot: built.snapshot };
  });
  const textOf = (isWeft: boolean): string =>
    JSON.stringify(
      snapshots.filter((one) => one.isWeft === isWeft).map((one) => snapshotJson(one.snapshot)),
    );
  return {
    refused,
    envoy: textOf(false),
    weft: textOf(true),
    words: [...words, ...issues.map(({ issue }) => formatIssue(issue))],
    snapshots,
  };
}

function decodeAll(raws: readonly Raw[]): {
  readonly objects: readonly KubeObject[];
  readonly refused: readonly string[];
  readonly words: readonly string[];
} {
  const objects: KubeObject[] = [];
  const refused: string[] = [];
  const words: string[] = [];
  for (const raw of raws) {
    const result = decodeObject(raw);
    if (result.ok) {
      objects.push(result.value);
      words.push(...(result.warnings ?? []).map(formatIssue));
    } else refused.push(...result.issues.map(formatIssue));
  }
  return { objects, refused, words };
}

/** What tells objects apart: of two, the later takes the place of the first. */
function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}
