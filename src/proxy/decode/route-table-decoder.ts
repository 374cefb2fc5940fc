import { fromBinary } from "@bufbuild/protobuf";
import {
  RouteSchema,
  VirtualHostSchema,
} from "../../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../api/gen/envoy/config/route/v3/route_pb.js";
import type { Issue, Result } from "../../base/issue.ts";
import { decodeHostFrame, decodeRoute, type HostContext } from "../../match/decode-virtual-host.ts";
import { joinPath } from "../../match/refuse-fields.ts";
import type { Route } from "../../match/route.ts";
import { decodeTableFrame, type RouteConfig } from "../../match/route-config.ts";
import type { LevelContext, RouteDecodeDeps } from "../../match/route-context.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import { checkRules } from "../check-rules.ts";
import { checkVhds, firstHostMs, ROUTE_DEPS, refuseUnbuilt } from "./route-table.ts";
import {
  changedItems,
  itemBody,
  itemText,
  keepSame,
  ownBytes,
  readText,
  type SplitMessage,
  splitMessage,
} from "./split-message.ts";

const HOSTS = RouteConfigurationSchema.field.virtualHosts.number;
const HOST_NAME = VirtualHostSchema.field.name.number;
const ROUTES = VirtualHostSchema.field.routes.number;

/** A route, and what it says to filters. */
interface RoutePart {
  readonly route: Route;
  readonly settings: readonly object[];
}

/** A virtual host, and what it was decoded from. */
interface HostPart {
  /** Its items are the routes, one for each of `routes`. */
  readonly split: SplitMessage;
  readonly routes: readonly RoutePart[];
  readonly virtualHost: VirtualHost;
  /** All that its levels say to filters. */
  readonly settings: readonly object[];
}

/** What a table was decoded from. */
interface Source {
  readonly split: SplitMessage;
  readonly hosts: readonly HostPart[];
}

/** Of every table that came encoded; gone with it. */
const SOURCES = new WeakMap<RouteConfig, Source>();

/** A route table that came encoded. */
export interface DecodedTable {
  readonly config: RouteConfig;
  readonly body: Uint8Array;
  /** How long virtual hosts are waited for where there are none yet; 0 is for ever. */
  readonly firstHostMs: number;
}

/**
 * Decodes a route table against the last one of its name: virtual hosts and routes that are the
 * same, byte by byte, under the same settings are taken over as they are. Throws where the bytes
 * are no message.
 */
export function decodeEncodedTable(
  given: Uint8Array,
  previous: RouteConfig | undefined,
): Result<DecodedTable> {
  return new Decoding().table(ownBytes(given), previous && SOURCES.get(previous));
}

/** The decoding of one table: what is wrong with it, and what its levels say to filters. */
class Decoding {
  readonly #issues: Issue[] = [];
  /** What is not built is said alone, and what breaks a rule of its .proto file when nothing else is wrong. */
  readonly #unbuilt: Issue[] = [];
  readonly #brokenRules: Issue[] = [];
  #settings: object[] = [];
  readonly #deps: RouteDecodeDeps = {
    readFile: ROUTE_DEPS.readFile,
    decodeOverride: (named, issues) => {
      const decoded = ROUTE_DEPS.decodeOverride(named, issues);
      if (typeof decoded === "object") this.#settings.push(decoded);
      return decoded;
    },
  };

  table(body: Uint8Array, before: Source | undefined): Result<DecodedTable> {
    const split = splitMessage(body, HOSTS, before?.split);
    const message = fromBinary(RouteConfigurationSchema, split.rest);
    checkVhds(message, this.#unbuilt);
    refuseUnbuilt(RouteConfigurationSchema, message, "", this.#unbuilt);
    this.#brokenRules.push(...checkRules(RouteConfigurationSchema, message, ""));
    const frame = decodeTableFrame(message, this.#deps, this.#issues);
    const settings = this.#takeSettings();
    // What the table says to its hosts concerns each of them.
    const isSame = before !== undefined && isSameRest(before.split, split);
    const old = isSame ? before.hosts : [];
    const others = changedItems(split, isSame ? before.split : undefined, old);
    let byName: ReadonlyMap<string, HostPart> | undefined;
    const hosts = keepSame(isSame ? split : allNew(split), old, (at) => {
      const known = others.get(itemText(split, at))?.pop();
      if (known !== undefined) return known;
      const item = itemBody(split, at);
      byName ??= new Map(old.map((host) => [host.virtualHost.name, host]));
      const path = `virtual_hosts[${at}]`;
      return this.#host(item, { ...frame.context, path }, byName.get(readText(item, HOST_NAME)));
    });
    if (this.#unbuilt.length > 0) return { ok: false, issues: this.#unbuilt };
    for (const host of hosts) for (const one of host.settings) settings.push(one);
    const closed = frame.close(
      hosts.map(({ virtualHost }) => virtualHost),
      settings,
    );
    if (!closed.ok) return closed;
    if (this.#brokenRules.length > 0) return { ok: false, issues: this.#brokenRules };
    const { value: config } = closed;
    SOURCES.set(config, { split, hosts });
    return { ok: true, value: { config, body, firstHostMs: firstHostMs(message) } };
  }

  #takeSettings(): object[] {
    const settings = this.#settings;
    this.#settings = [];
    return settings;
  }

  #host(body: Uint8Array, table: LevelContext, old: HostPart | undefined): HostPart {
    const { path } = table;
    const split = splitMessage(body, ROUTES, old?.split);
    const message = fromBinary(VirtualHostSchema, split.rest);
    refuseUnbuilt(VirtualHostSchema, message, path, this.#unbuilt);
    this.#brokenRules.push(...checkRules(VirtualHostSchema, message, path));
    const { host, context } = decodeHostFrame(message, table);
    const own = this.#takeSettings();
    const isSame = old !== undefined && isSameRest(old.split, split);
    const there = isSame ? old.routes : [];
    const others = changedItems(split, isSame ? old.split : undefined, there);
    const routes = keepSame(isSame ? split : allNew(split), there, (at) => {
      const known = others.get(itemText(split, at))?.pop();
      return known ?? this.#route(itemBody(split, at), context, joinPath(path, `routes[${at}]`));
    });
    const virtualHost = { ...host, routes: routes.map(({ route }) => route) };
    const settings = own;
    for (const part of routes) for (const one of part.settings) settings.push(one);
    return { split, routes, virtualHost, settings };
  }

  #route(body: Uint8Array, host: HostContext, path: string): RoutePart {
    const message = fromBinary(RouteSchema, body);
    refuseUnbuilt(RouteSchema, message, path, this.#unbuilt);
    this.#brokenRules.push(...checkRules(RouteSchema, message, path));
    const route = decodeRoute(message, { ...host, path });
    return { route, settings: this.#takeSettings() };
  }
}

function isSameRest(left: SplitMessage, right: SplitMessage): boolean {
  return Buffer.compare(left.rest, right.rest) === 0;
}

/** As if nothing of it had been there before. */
function allNew<Split extends ReturnType<typeof splitMessage>>(split: Split): Split {
  return { ...split, sameFirst: 0, sameLast: 0 };
}
