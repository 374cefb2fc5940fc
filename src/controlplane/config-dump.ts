import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ClientStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { XDS_SHORT_NAME } from "../ads/short-name.ts";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { resourceJson } from "../xds/resource-json.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsResource } from "../xds/snapshot.ts";
import { JsonList, JsonRecord } from "./json-chunks.ts";

/** What one proxy is offered, and how far it is. */
export interface DumpSource {
  readonly published: Published;
  readonly client: ClientStatus;
}

/** How Envoy's own dump groups the resources of a kind. */
export interface DumpPart {
  readonly kind: ResourceKind;
  /** The message, in `envoy.admin.v3`. */
  readonly message: string;
  readonly list: string;
  readonly field: string;
}

/** In the order of istiod's dump; endpoints are only in those that ask for them. */
export const DUMP_PARTS: readonly DumpPart[] = [
  {
    kind: "cluster",
    message: "ClustersConfigDump",
    list: "dynamic_active_clusters",
    field: "cluster",
  },
  {
    kind: "endpoint",
    message: "EndpointsConfigDump",
    list: "dynamic_endpoint_configs",
    field: "endpoint_config",
  },
  {
    kind: "listener",
    message: "ListenersConfigDump",
    list: "dynamic_listeners",
    field: "listener",
  },
  {
    kind: "route",
    message: "RoutesConfigDump",
    list: "dynamic_route_configs",
    field: "route_config",
  },
];

/** `type.googleapis.com/envoy.admin.v3.…` */
export function adminTypeUrl(message: string): string {
  return `type.googleapis.com/envoy.admin.v3.${message}`;
}

/** Of a kind, what the proxy asked for, by name: of the rest it has nothing. */
export function* watchedResources(
  { published, client }: DumpSource,
  kind: ResourceKind,
): Generator<XdsResource> {
  const { state, names } = client.kinds[kind];
  if (state === "NOT SENT") return;
  for (const resource of published[kind].values()) {
    if (names === undefined || names.has(resource.name)) yield resource;
  }
}

/** What a proxy is offered, in the form of Envoy's own `config_dump`. */
export function configDump(source: DumpSource, hasEndpoints: boolean): JsonRecord {
  const parts = DUMP_PARTS.filter(({ kind }) => kind !== "endpoint" || hasEndpoints);
  return new JsonRecord(() => [
    ["configs", new JsonList(() => parts.map((part) => dumpPart(source, part)))],
  ]);
}

function dumpPart(source: DumpSource, { kind, message, list, field }: DumpPart): JsonRecord {
  const entries = function* (): Generator<JsonValue> {
    for (const resource of watchedResources(source, kind)) {
      const { name, version } = resource;
      const entry = { version_info: version, [field]: messageJson(kind, resource) };
      yield kind === "listener" ? { name, active_state: entry } : entry;
    }
  };
  return new JsonRecord(() => [
    ["@type", adminTypeUrl(message)],
    ["version_info", source.client.kinds[kind].sentVersion ?? ""],
    [list, new JsonList(entries)],
  ]);
}

/** Only some kinds, one after the other without Envoy's groups, as istiod answers `types=`. */
export function typedDump(source: DumpSource, kinds: readonly ResourceKind[]): JsonRecord {
  return new JsonRecord(() => [
    [
      "configs",
      new JsonList(function* () {
        for (const kind of kinds) {
          for (const resource of watchedResources(source, kind)) yield messageJson(kind, resource);
        }
      }),
    ],
  ]);
}

/** The kind that a word of `types=` means: `eds`, `EDS`, or a type URL. */
export function kindOfWord(word: string): ResourceKind | undefined {
  return RESOURCE_KINDS.find(
    (kind) => word.toLowerCase() === XDS_SHORT_NAME[kind] || word === RESOURCE_TYPE_URL[kind],
  );
}

function messageJson(kind: ResourceKind, resource: XdsResource): JsonObject {
  const type = { "@type": RESOURCE_TYPE_URL[kind] };
  try {
    return { ...type, ...(redacted(resourceJson(kind, resource)) as JsonObject) };
  } catch (error) {
    // An extension that the registry lacks must not hide everything else.
    return { ...type, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Fields of which Envoy's own dump shows nothing (`udpa.annotations.sensitive`). */
const SENSITIVE: ReadonlySet<string> = new Set(["private_key", "password", "generic_secret"]);

/** The same without what is secret. */
export function redacted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      SENSITIVE.has(name) ? sealed(member) : redacted(member),
    ]),
  );
}

/** A file's name is no secret; what a secret is written out as is. */
function sealed(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "[redacted]";
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === "filename" ? member : "[redacted]",
    ]),
  );
}
