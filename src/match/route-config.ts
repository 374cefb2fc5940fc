import type { VirtualHost as VirtualHostMessage } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "../api/gen/envoy/config/route/v3/route_pb.js";
import type { Issue, Result } from "../base/issue.ts";
import type { Prng } from "../base/prng.ts";
import { decodeVirtualHost } from "./decode-virtual-host.ts";
import { decodeOverrides } from "./filter-overrides.ts";
import { decodeMutations, MUTATION_FIELDS } from "./header-mutations.ts";
import type { MatchRecorder, MatchRequest } from "./match-request.ts";
import { refuseFields } from "./refuse-fields.ts";
import type { Route } from "./route.ts";
import { decodeMirrors } from "./route-action.ts";
import type { LevelContext, RouteDecodeDeps } from "./route-context.ts";
import { routeWithin } from "./tls-route.ts";
import {
  compileVirtualHostSearch,
  type DuplicateDomain,
  type VirtualHost,
  type VirtualHostSearch,
} from "./virtual-host.ts";
import { wireText } from "./wire-text.ts";

/** A route table, compiled: immutable, so that a request keeps the one it began with. */
export interface RouteConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly findVirtualHost: VirtualHostSearch;
  /** Whether Envoy would check that the clusters exist; `undefined` leaves it to where it stands. */
  readonly validatesClusters: boolean | undefined;
  /** Headers, in lower case, that requests from outside must not bring. */
  readonly internalOnlyHeaders: readonly string[];
  /** All that its levels say to filters. */
  readonly filterSettings: readonly object[];
  /** How virtual hosts that come by themselves get into it; `undefined` without `vhds`. */
  readonly onDemand: OnDemandTable | undefined;
}

/** A virtual host that came by itself. */
export interface OnDemandHost {
  readonly virtualHost: VirtualHost;
  readonly filterSettings: readonly object[];
}

/** What a table says to virtual hosts that are not in it. */
export interface OnDemandTable {
  /** Decodes one under the settings of the table. */
  decode(message: VirtualHostMessage): Result<OnDemandHost>;
  /** The table with these as well, and the domains that two of all its hosts have. */
  join(hosts: readonly OnDemandHost[]): {
    readonly config: RouteConfig;
    readonly duplicates: readonly DuplicateDomain[];
  };
}

/** The virtual host and route of a request; either may be missing. */
export function matchRouteConfig(
  config: RouteConfig,
  request: MatchRequest,
  prng: Prng,
  recorder?: MatchRecorder,
): { virtualHost: VirtualHost | undefined; route: Route | undefined } {
  const virtualHost = config.findVirtualHost(request.authority, recorder);
  if (virtualHost === undefined) return { virtualHost, route: undefined };
  return { virtualHost, route: routeWithin(virtualHost, request, prng, recorder) };
}

const HANDLED = [
  "name",
  "virtual_hosts",
  "internal_only_headers",
  ...MUTATION_FIELDS,
  "most_specific_header_mutations_wins",
  "validate_clusters",
  "max_direct_response_body_size_bytes",
  "request_mirror_policies",
  "ignore_port_in_host_matching",
  "ignore_path_parameters_in_path_matching",
  "typed_per_filter_config",
  // Where virtual hosts come from concerns whoever asks for them.
  "vhds",
  // Of the table itself nothing reads it.
  "metadata",
];

/** Of the body of a direct response, in bytes; as Envoy has it unless told otherwise. */
const DIRECT_BODY_BYTES_MAX = 4096;

/** A table without its virtual hosts: what it says to them, and what becomes of them. */
export interface TableFrame {
  readonly context: LevelContext;
  /** The table with these, and all that its levels say to filters; or what is wrong with it. */
  close(
    virtualHosts: readonly VirtualHost[],
    filterSettings: readonly object[],
  ): Result<RouteConfig>;
}

/** Decodes and compiles a route table. */
export function decodeRouteConfig(
  message: RouteConfiguration,
  deps: RouteDecodeDeps,
): Result<RouteConfig> {
  const filterSettings: object[] = [];
  const frame = decodeTableFrame(message, keepingSettings(deps, filterSettings), []);
  const virtualHosts = message.virtualHosts.map((virtualHost, at) =>
    decodeVirtualHost(virtualHost, { ...frame.context, path: `virtual_hosts[${at}]` }),
  );
  return frame.close(virtualHosts, filterSettings);
}

/** Decodes what a table says of itself; its virtual hosts are not looked at. */
export function decodeTableFrame(
  message: RouteConfiguration,
  deps: RouteDecodeDeps,
  issues: Issue[],
): TableFrame {
  issues.push(...refuseFields(RouteConfigurationSchema, message, HANDLED, ""));
  const context = tableContext(message, deps, issues);
  const { name, validateClusters: validatesClusters, ignorePortInHostMatching } = message;
  return {
    context,
    close(virtualHosts, filterSettings) {
      refuseSameNames(virtualHosts, issues);
      const findVirtualHost = compileVirtualHostSearch(
        virtualHosts,
        ignorePortInHostMatching,
        ({ domain }) => {
          const what =
            domain === "*"
              ? `Only a single wildcard domain is permitted in route ${name}`
              : `Only unique values for domains are permitted. Duplicate entry of domain ${domain} in route ${name}`;
          issues.push({ path: "", message: what });
        },
      );
      const internalOnlyHeaders = decodeInternalOnly(message, issues);
      if (issues.length > 0) return { ok: false, issues };
      const config: RouteConfig = {
        name,
        virtualHosts,
        findVirtualHost,
        validatesClusters,
        internalOnlyHeaders,
        filterSettings,
        onDemand: undefined,
      };
      if (message.vhds === undefined) return { ok: true, value: config };
      const onDemand = onDemandTable(config, context, ignorePortInHostMatching);
      return { ok: true, value: { ...config, onDemand } };
    },
  };
}

function refuseSameNames(virtualHosts: readonly VirtualHost[], issues: Issue[]): void {
  const names = new Set<string>();
  for (const [at, { name }] of virtualHosts.entries()) {
    if (names.has(name)) {
      const what = `virtual host "${name}" stands there twice`;
      issues.push({ path: `virtual_hosts[${at}]`, message: what });
    }
    names.add(name);
  }
}

function onDemandTable(
  base: RouteConfig,
  context: LevelContext,
  ignoresPort: boolean,
): OnDemandTable {
  const table: OnDemandTable = {
    decode(message) {
      const issues: Issue[] = [];
      const filterSettings: object[] = [];
      const deps = keepingSettings(context, filterSettings);
      const virtualHost = decodeVirtualHost(message, { ...context, ...deps, issues, path: "" });
      if (issues.length > 0) return { ok: false, issues };
      return { ok: true, value: { virtualHost, filterSettings } };
    },
    join(hosts) {
      const duplicates: DuplicateDomain[] = [];
      const virtualHosts = [...base.virtualHosts, ...hosts.map(({ virtualHost }) => virtualHost)];
      const findVirtualHost = compileVirtualHostSearch(virtualHosts, ignoresPort, (duplicate) =>
        duplicates.push(duplicate),
      );
      const filterSettings = [
        ...base.filterSettings,
        ...hosts.flatMap((one) => one.filterSettings),
      ];
      const config = { ...base, virtualHosts, findVirtualHost, filterSettings, onDemand: table };
      return { config, duplicates };
    },
  };
  return table;
}

/** The same, but what is decoded for filters is noted as well. */
function keepingSettings(
  { readFile, decodeOverride }: RouteDecodeDeps,
  settings: object[],
): RouteDecodeDeps {
  return {
    readFile,
    decodeOverride(named, issues) {
      const decoded = decodeOverride(named, issues);
      if (typeof decoded === "object") settings.push(decoded);
      return decoded;
    },
  };
}

function tableContext(
  message: RouteConfiguration,
  deps: RouteDecodeDeps,
  issues: Issue[],
): LevelContext {
  const overrides = decodeOverrides(message.typedPerFilterConfig, {
    decode: deps.decodeOverride,
    path: "typed_per_filter_config",
    issues,
  });
  return {
    ...deps,
    issues,
    path: "",
    mostSpecificWins: message.mostSpecificHeaderMutationsWins,
    ignoresParameters: message.ignorePathParametersInPathMatching,
    directBodyBytesMax: message.maxDirectResponseBodySizeBytes ?? DIRECT_BODY_BYTES_MAX,
    levels: [decodeMutations(message, "", issues)],
    overrides,
    mirrors: decodeMirrors(message.requestMirrorPolicies, { path: "", issues }, []),
    retryPolicy: undefined,
  };
}

function decodeInternalOnly(message: RouteConfiguration, issues: Issue[]): readonly string[] {
  return message.internalOnlyHeaders.map((header, at) => {
    const name = wireText(header).toLowerCase();
    // Without these a request has no way any more.
    if (name === "host" || name.startsWith(":")) {
      const what = `"${header}" cannot be taken from a request`;
      issues.push({ path: `internal_only_headers[${at}]`, message: what });
    }
    return name;
  });
}
