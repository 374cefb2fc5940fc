import type { JsonValue } from "@bufbuild/protobuf";
import { formatHostPort } from "../../base/ip.ts";
import { compileFinder } from "../../match/regex.ts";
import type { TypeStatus } from "../../xdsclient/resource-type.ts";
import type { LogFiles } from "../access-log/log-file.ts";
import type { ProxyBootstrap } from "../bootstrap.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { CounterGroups } from "../counters.ts";
import type { ListenerSet } from "../listener/listener-set.ts";
import type { LogLevels } from "../log-levels.ts";
import type { RouteSet } from "../route-set.ts";
import type { SecretStore } from "../secret/secret-store.ts";
import type { StatSources } from "../stats/collect.ts";
import { statsPage } from "../stats/stats-page.ts";
import { certsPage } from "./certs-page.ts";
import { clusterStatus, clusterText } from "./clusters-page.ts";
import { dumpPage } from "./config-dump.ts";
import { memoryInfo, serverInfo } from "./server-info.ts";

/** What the pages show. */
export interface AdminState {
  readonly bootstrap: ProxyBootstrap;
  readonly state: () => string;
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly routes: RouteSet;
  readonly counters: CounterGroups;
  readonly secrets: SecretStore;
  readonly nowMs: () => number;
  readonly logFiles: LogFiles;
  readonly logLevels: LogLevels;
  readonly adsStatus: () => readonly TypeStatus[];
  readonly isConnected: () => boolean | undefined;
}

/** What a page is made from. */
export interface PageRequest {
  readonly state: AdminState;
  readonly query: URLSearchParams;
  readonly sources: StatSources;
  /** Makes the counters begin at 0 again, as far as `/stats` shows them. */
  readonly resetCounters: () => void;
}

/** Text, or a value that is sent as JSON. */
interface Rendered {
  readonly status?: number;
  readonly body: string | object;
}

interface Page {
  readonly path: string;
  readonly help: string;
  readonly isPost?: boolean;
  /** JSON goes out in one line. */
  readonly isCompact?: boolean;
  readonly render: (request: PageRequest) => Rendered;
}

const OK: Rendered = { body: "OK\n" };

/** Every page that is built, under Envoy's paths. */
export const PAGES: readonly Page[] = [
  { path: "/", help: "Admin home page", render: () => ({ body: helpText() }) },
  {
    path: "/certs",
    help: "print certs on machine",
    render: ({ state }) => ({ body: certsPage(state.secrets.materials, state.nowMs()) }),
  },
  { path: "/clusters", help: "upstream cluster status", render: renderClusters },
  {
    path: "/config_dump",
    help: "dump current configurations",
    render: ({ state, query }) => dumpPage(state, query),
  },
  {
    path: "/contention",
    help: "dump current mutex contention stats (if enabled)",
    // One thread contends with nobody.
    render: () => ({ body: "Mutex contention tracing is not enabled.\n" }),
  },
  { path: "/help", help: "print out list of admin commands", render: () => ({ body: helpText() }) },
  {
    path: "/hot_restart_version",
    help: "print the hot restart compatibility version",
    render: () => ({ body: "disabled" }),
  },
  { path: "/listeners", help: "print listener info", render: renderListeners },
  {
    path: "/logging",
    help: "query/change logging levels",
    isPost: true,
    render: ({ state, query }) => state.logLevels.answer(query),
  },
  {
    path: "/memory",
    help: "print current allocation/heap usage",
    render: () => ({ body: memoryInfo() }),
  },
  {
    path: "/quitquitquit",
    help: "exit the server",
    isPost: true,
    render: () => OK,
  },
  {
    path: "/ready",
    help: "print server state, return 200 if LIVE, otherwise return 503",
    render: ({ state: { state } }) => ({
      status: state() === "LIVE" ? 200 : 503,
      body: `${state()}\n`,
    }),
  },
  {
    path: "/reopen_logs",
    help: "reopen access logs",
    isPost: true,
    render({ state }) {
      state.logFiles.reopen();
      return OK;
    },
  },
  {
    path: "/reset_counters",
    help: "reset all counters to zero",
    isPost: true,
    render({ resetCounters }) {
      resetCounters();
      return OK;
    },
  },
  {
    path: "/server_info",
    help: "print server version/status information",
    render: ({ state, sources }) => ({ body: serverInfo(state, sources.uptimeS()) }),
  },
  {
    path: "/stats",
    help: "print server stats",
    isCompact: true,
    render: ({ state, sources, query }) => statsPage(sources, state.bootstrap.stats, query),
  },
  {
    path: "/stats/prometheus",
    help: "print server stats in prometheus format",
    render: ({ state, sources, query }) =>
      statsPage(sources, state.bootstrap.stats, query, "prometheus"),
  },
];

/** The list of pages, as Envoy prints it. */
export function helpText(): string {
  const known = PAGES.map(({ path, help, isPost }) => {
    return `  ${path}${isPost === true ? " (POST)" : ""}: ${help}\n`;
  });
  return `admin commands are:\n${known.join("")}`;
}

function renderClusters({ state, query }: PageRequest): Rendered {
  const pattern = query.get("filter") ?? "";
  const filter = compileFinder(pattern === "" ? "^" : pattern);
  if (!filter.ok) {
    return { status: 400, body: `Invalid re2 regex: ${filter.issues[0]?.message ?? ""}\n` };
  }
  const clusters = state.clusters.active.filter(
    ({ config }) => filter.value(config.name) !== undefined,
  );
  if (query.get("format") !== "json") return { body: clusters.map(clusterText).join("") };
  return { body: { cluster_statuses: clusters.map(clusterStatus) } };
}

function renderListeners({ state: { listeners }, query }: PageRequest): Rendered {
  if (query.get("format") !== "json") {
    const lines = listeners.active.flatMap(({ config, boundAddresses }) =>
      boundAddresses.map(({ address, port }) => `${config.name}::${formatBound(address, port)}\n`),
    );
    return { body: lines.join("") };
  }
  const statuses = listeners.active.map(({ config, boundAddresses }): JsonValue => {
    const [own = null, ...additional] = boundAddresses.map(socketAddress);
    return {
      name: config.name,
      local_address: own,
      ...(additional.length === 0 ? {} : { additional_local_addresses: additional }),
    };
  });
  return { body: { listener_statuses: statuses } };
}

function formatBound(address: string, port: number): string {
  return address.startsWith("/") ? address : formatHostPort(address, port);
}

function socketAddress({ address, port }: { address: string; port: number }): JsonValue {
  if (address.startsWith("/")) return { pipe: { path: address } };
  return { socket_address: { address, port_value: port } };
}
