import { isJsonObject, type JsonObject } from "../config/json.ts";
import { diffLines } from "./diff-lines.ts";
import { sortNames } from "./sort-names.ts";

/** Most resources of one kind that are shown in full, and most lines of each. */
const RESOURCES_MAX = 5;
const LINES_MAX = 60;

/** How one kind stands at a proxy, beside what the control plane hands out. */
export interface KindDiff {
  /** `Clusters`, `Listeners`, `Routes` or `Endpoints`. */
  readonly kind: string;
  readonly count: number;
  /** By name; empty when all match. */
  readonly differences: readonly ResourceDiff[];
}

/** One resource that is not the same on both sides. */
export interface ResourceDiff {
  readonly name: string;
  readonly what: "missing at the proxy" | "only at the proxy" | "differs";
  /** `-` of the control plane, `+` of the proxy. */
  readonly lines: readonly string[];
}

type Resources = ReadonlyMap<string, unknown>;

/** Compares two dumps in the form of Envoy's `/config_dump?include_eds`. */
export function diffDumps(controlPlane: unknown, proxy: unknown): readonly KindDiff[] {
  const [ours, theirs] = [sectionsOf(controlPlane), sectionsOf(proxy)];
  const diffs = KINDS.map(({ kind, read }) => diffKind(kind, read(ours), read(theirs)));
  // A cluster with fixed hosts has endpoints at the proxy that nobody handed out.
  const [known, addresses] = [readEndpoints(ours), readEndpoints(theirs)];
  const asked = new Map([...addresses].filter(([name]) => known.has(name)));
  return [...diffs, diffKind("Endpoints", known, asked)];
}

/** What `proxy-status` prints of it. */
export function formatDiff(diffs: readonly KindDiff[]): string {
  return diffs.map(formatKind).join("");
}

function formatKind({ kind, count, differences }: KindDiff): string {
  if (differences.length === 0) return `${kind} Match (${count})\n`;
  const shown = differences.slice(0, RESOURCES_MAX).map(({ name, what, lines }) => {
    const cut = lines.slice(0, LINES_MAX).map((line) => `    ${line}\n`);
    const rest = lines.length > LINES_MAX ? `    (${lines.length - LINES_MAX} more lines)\n` : "";
    return `  ${name}: ${what}\n${cut.join("")}${rest}`;
  });
  const others = differences.slice(RESOURCES_MAX).map(({ name, what }) => `  ${name}: ${what}\n`);
  return `${kind} Don't Match (- control plane, + proxy)\n${shown.join("")}${others.join("")}`;
}

function diffKind(kind: string, ours: Resources, theirs: Resources): KindDiff {
  const differences: ResourceDiff[] = [];
  for (const name of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    if (!theirs.has(name)) differences.push({ name, what: "missing at the proxy", lines: [] });
    else if (!ours.has(name)) differences.push({ name, what: "only at the proxy", lines: [] });
    else {
      const lines = diffLines(textOf(ours.get(name)), textOf(theirs.get(name)));
      if (lines.length > 0) differences.push({ name, what: "differs", lines });
    }
  }
  return { kind, count: ours.size, differences };
}

function textOf(value: unknown): string {
  return JSON.stringify(sortNames(value), undefined, 2);
}

type Sections = ReadonlyMap<string, JsonObject>;

function sectionsOf(dump: unknown): Sections {
  const configs = isJsonObject(dump) && Array.isArray(dump["configs"]) ? dump["configs"] : [];
  return new Map(
    configs.filter(isJsonObject).map((section) => {
      const type = String(section["@type"]).split(".").at(-1) ?? "";
      return [type, section] as const;
    }),
  );
}

const KINDS: readonly { readonly kind: string; readonly read: (from: Sections) => Resources }[] = [
  {
    kind: "Clusters",
    read: (from) =>
      byName(entries(from, "ClustersConfigDump", "dynamic_active_clusters"), ["cluster"]),
  },
  {
    kind: "Listeners",
    read: (from) =>
      byName(entries(from, "ListenersConfigDump", "dynamic_listeners"), [
        "active_state",
        "listener",
      ]),
  },
  {
    kind: "Routes",
    read: (from) =>
      byName(entries(from, "RoutesConfigDump", "dynamic_route_configs"), ["route_config"]),
  },
];

function entries(from: Sections, section: string, list: string): readonly JsonObject[] {
  const found = from.get(section)?.[list];
  return Array.isArray(found) ? found.filter(isJsonObject) : [];
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (holder, name) => (isJsonObject(holder) ? holder[name] : undefined),
    value,
  );
}

function byName(list: readonly JsonObject[], path: readonly string[]): Resources {
  const found = new Map<string, unknown>();
  for (const entry of list) {
    const value = at(entry, path);
    if (!isJsonObject(value)) continue;
    const { "@type": _type, ...resource } = value;
    found.set(String(resource["name"]), resource);
  }
  return found;
}

/** Proxies add what they found out about each endpoint, so only addresses are compared. */
function readEndpoints(from: Sections): Resources {
  const found = new Map<string, unknown>();
  for (const entry of entries(from, "EndpointsConfigDump", "dynamic_endpoint_configs")) {
    const config = entry["endpoint_config"];
    const groups = at(config, ["endpoints"]);
    const addresses = (Array.isArray(groups) ? groups : []).flatMap((group: unknown) => {
      const endpoints = at(group, ["lb_endpoints"]);
      return (Array.isArray(endpoints) ? endpoints : []).map(addressOf);
    });
    found.set(String(at(config, ["cluster_name"])), addresses.sort());
  }
  return found;
}

function addressOf(endpoint: unknown): string {
  const address = at(endpoint, ["endpoint", "address"]);
  const path = at(address, ["pipe", "path"]);
  if (typeof path === "string") return path;
  const socket = at(address, ["socket_address"]);
  return `${String(at(socket, ["address"]))}:${String(at(socket, ["port_value"]))}`;
}
