import type { Kind } from "../../config/kind.ts";
import type { Exchange } from "./exchange.ts";
import { ApiError } from "./status.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS = ["get", "patch", "update"];

const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** `/api`, `/apis` and what is below them without naming an object; says whether it was one. */
export function serveDiscovery(exchange: Exchange, kinds: readonly Kind[]): boolean {
  const [root, group, version, ...rest] = exchange.segments;
  if (root === "api" && rest.length === 0 && version === undefined) {
    if (group === undefined) return serveRoot(exchange, kinds, true);
    if (group !== "v1") throw new ApiError("NotFound", `there is no API version "${group}"`);
    exchange.sendJson(200, resourceList("", "v1", kinds));
    return true;
  }
  if (root !== "apis" || rest.length > 0) return false;
  if (group === undefined) return serveRoot(exchange, kinds, false);
  const groupKinds = kinds.filter((one) => one.group === group);
  if (group === "" || groupKinds.length === 0) {
    throw new ApiError("NotFound", `there is no API group "${group}"`);
  }
  if (version === undefined) {
    exchange.sendJson(200, { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group, groupKinds) });
  } else {
    if (!versionsOf(groupKinds).includes(version)) {
      throw new ApiError("NotFound", `the API group "${group}" has no version "${version}"`);
    }
    exchange.sendJson(200, resourceList(group, version, kinds));
  }
  return true;
}

/** Groups other than core, with those of their versions that some kind has; in the order of the kinds. */
export function groupsOf(kinds: readonly Kind[]): readonly string[] {
  return [...new Set(kinds.map((one) => one.group))].filter((group) => group !== "");
}

/** The versions of a group, preferred first. */
export function versionsOf(kinds: readonly Kind[]): readonly string[] {
  return [...new Set(kinds.flatMap((one) => one.versions))];
}

function serveRoot(exchange: Exchange, kinds: readonly Kind[], isCore: boolean): true {
  if (/as=APIGroupDiscoveryList/.test(exchange.accept) && /v=v2(?!\w)/.test(exchange.accept)) {
    const groups = isCore ? [""] : groupsOf(kinds);
    const items = groups.map((group) => groupDiscovery(group, kinds));
    const body = { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" };
    exchange.sendJson(200, { ...body, metadata: {}, items }, AGGREGATED);
  } else if (isCore) {
    exchange.sendJson(200, {
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [],
    });
  } else {
    const groups = groupsOf(kinds).map((group) =>
      apiGroup(
        group,
        kinds.filter((one) => one.group === group),
      ),
    );
    exchange.sendJson(200, { kind: "APIGroupList", apiVersion: "v1", groups });
  }
  return true;
}

function apiGroup(name: string, kinds: readonly Kind[]): object {
  const versions = versionsOf(kinds).map((version) => ({
    groupVersion: `${name}/${version}`,
    version,
  }));
  return { name, versions, preferredVersion: versions[0] };
}

function resourceList(group: string, version: string, kinds: readonly Kind[]): object {
  const served = kinds.filter((one) => one.group === group && one.versions.includes(version));
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources: served.flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.isNamespaced,
        kind: kind.kind,
        verbs: VERBS,
        ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
        ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
      },
      ...subresourcesOf(kind).map(({ name, responseKind, verbs }) => ({
        name: `${kind.plural}/${name}`,
        singularName: "",
        namespaced: kind.isNamespaced,
        kind: responseKind.kind,
        ...(responseKind.group === kind.group ? {} : responseKind),
        verbs,
      })),
    ]),
  };
}

function groupDiscovery(group: string, kinds: readonly Kind[]): object {
  const groupKinds = kinds.filter((one) => one.group === group);
  return {
    metadata: group === "" ? {} : { name: group },
    versions: versionsOf(groupKinds).map((version) => ({
      version,
      freshness: "Current",
      resources: groupKinds
        .filter((one) => one.versions.includes(version))
        .map((kind) => ({
          resource: kind.plural,
          responseKind: { group, version, kind: kind.kind },
          scope: kind.isNamespaced ? "Namespaced" : "Cluster",
          singularResource: kind.singular,
          verbs: VERBS,
          ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
          ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
          subresources: subresourcesOf(kind).map(({ name, responseKind, verbs }) => ({
            subresource: name,
            responseKind: {
              group: responseKind.group ?? group,
              version: responseKind.version ?? version,
              kind: responseKind.kind,
            },
            verbs,
          })),
        })),
    })),
  };
}

interface Subresource {
  readonly name: string;
  readonly responseKind: {
    readonly kind: string;
    readonly group?: string;
    readonly version?: string;
  };
  readonly verbs: readonly string[];
}

function subresourcesOf(kind: Kind): readonly Subresource[] {
  const all: Subresource[] = [];
  if (kind.kind === "Pod") {
    all.push({ name: "log", responseKind: { kind: "Pod" }, verbs: ["get"] });
  }
  if (kind.scale !== undefined) {
    const responseKind = { kind: "Scale", group: "autoscaling", version: "v1" };
    all.push({ name: "scale", responseKind, verbs: STATUS_VERBS });
  }
  if (kind.hasStatus) {
    all.push({ name: "status", responseKind: { kind: kind.kind }, verbs: STATUS_VERBS });
  }
  return all;
}
