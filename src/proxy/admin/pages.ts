import { statsPage } from "../stats/stats-page.ts";
import { certsPage } from "./certs-page.ts";
import { renderClusters } from "./clusters-page.ts";
import { dumpPage } from "./config-dump.ts";
import { DRAIN_PAGES } from "./drain-pages.ts";
import { initDump } from "./init-dump.ts";
import { renderListeners } from "./listeners-page.ts";
import { OK, type Page } from "./page.ts";
import { PROFILE_PAGES } from "./profile-pages.ts";
import { RUNTIME_PAGES } from "./runtime-pages.ts";
import { memoryInfo, serverInfo } from "./server-info.ts";
import { TAP_PAGE } from "./tap-page.ts";

const FILTER = "Only names that this regular expression (RE2) matches";

const OWN_PAGES: readonly Page[] = [
  { path: "/", help: "Admin home page", render: () => ({ body: helpText() }) },
  {
    path: "/certs",
    help: "print certs on machine",
    render: ({ state }) => ({ body: certsPage(state.secrets.materials, state.clock.nowMs()) }),
  },
  {
    path: "/clusters",
    readsStats: true,
    help: "upstream cluster status",
    params: { filter: FILTER, format: "One of (text, json)" },
    render: renderClusters,
  },
  {
    path: "/config_dump",
    help: "dump current configurations",
    params: {
      resource: "Only this list of resources",
      mask: "Only these fields, a FieldMask of the dump or of each resource",
      name_regex: "Only configurations of these names",
      include_eds: "With endpoints",
    },
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
    render: ({ state }) => ({ body: state.processes.hotRestartVersion }),
  },
  {
    path: "/init_dump",
    help: "print what is waited for before it is used",
    params: { mask: "Only this component: listener" },
    render: initDump,
  },
  {
    path: "/listeners",
    help: "print listener info",
    params: { format: "One of (text, json)" },
    render: renderListeners,
  },
  {
    path: "/logging",
    help: "query/change logging levels",
    params: {
      "<name>": "The level of one logger",
      paths: "Levels of several, name1:level1,name2:level2",
      level: "The level of all of them",
    },
    isPost: true,
    isForAll: true,
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
    isForAll: true,
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
    readsStats: true,
    help: "print server stats",
    params: {
      usedonly: "Only what was counted since the start",
      filter: FILTER,
      invert_filter: "What the filter does not match",
      format: "One of (html, text, json, prometheus)",
      type: "One of (All, Counters, Histograms, Gauges, TextReadouts)",
      histogram_buckets: "One of (cumulative, disjoint, detailed, summary)",
    },
    isCompact: true,
    render: ({ state, sources, query }) => statsPage(sources, state.bootstrap.stats, query),
  },
  {
    path: "/stats/prometheus",
    readsStats: true,
    help: "print server stats in prometheus format",
    params: {
      usedonly: "Only what was counted since the start",
      text_readouts: "Taken for Envoy's sake; there are none",
      filter: FILTER,
      invert_filter: "What the filter does not match",
      histogram_buckets: "One of (cumulative, summary)",
    },
    render: ({ state, sources, query }) =>
      statsPage(sources, state.bootstrap.stats, query, "prometheus"),
  },
];

/** Every page that is built, under Envoy's paths. */
export const PAGES: readonly Page[] = [
  ...OWN_PAGES,
  ...DRAIN_PAGES,
  ...PROFILE_PAGES,
  TAP_PAGE,
  ...RUNTIME_PAGES,
].sort((one, two) => (one.path < two.path ? -1 : 1));

/** The list of pages, as Envoy prints it. */
export function helpText(): string {
  const known = PAGES.map(({ path, help, isPost, params = {} }) => {
    const lines = Object.entries(params).map(([name, what]) => `      ${name}: ${what}\n`);
    return `  ${path}${isPost === true ? " (POST)" : ""}: ${help}\n${lines.join("")}`;
  });
  return `admin commands are:\n${known.join("")}`;
}
