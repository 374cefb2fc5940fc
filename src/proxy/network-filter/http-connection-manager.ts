import type { HttpConfig, HttpService } from "../http/http-config.ts";
import type { ChainDeps } from "../listener/chain.ts";
import { showCounters } from "../route-set.ts";
import { httpStats } from "../stats/http-stats.ts";
import { openTracing } from "../tracing/http-tracing.ts";
import { openConnection } from "./codec-choice.ts";
import type { TerminalFilterConfig } from "./network-filter.ts";

/** The connection manager as the last filter of a chain. */
export function httpConnectionManager(config: HttpConfig): TerminalFilterConfig {
  return {
    isTerminal: true,
    http: config,
    create(deps) {
      const service = createService(config, deps);
      return {
        service,
        open(connection, adopt, onEnd) {
          if (service.keepsTimes) connection.keepAddresses();
          return openConnection({ service, context: deps.context, connection, onEnd }, adopt);
        },
      };
    },
  };
}

function createService(config: HttpConfig, deps: ChainDeps): HttpService {
  const { context, logs, routeSource, drain } = deps;
  const statPrefix = `http.${config.statPrefix}`;
  if (config.inlineRoutes !== undefined) showCounters(config.inlineRoutes, context.counters);
  return {
    config,
    filters: config.filters.map(({ name, isDisabled, open }) => ({
      name,
      isDisabled,
      create: open({ context, name, statPrefix }),
    })),
    accessLogs: config.accessLogs.map((log) => logs.open(log)),
    attemptLogs: config.attemptLogs.map((log) => logs.open(log)),
    routes:
      config.rdsName === ""
        ? { current: config.inlineRoutes }
        : routeSource(config.rdsName, statPrefix),
    keepsTimes:
      config.accessLogs.length + config.attemptLogs.length > 0 ||
      config.tracing?.isVerbose === true ||
      config.filters.some(({ needsTimes }) => needsTimes),
    bufferBytesMax: deps.bufferBytesMax,
    tracing:
      config.tracing &&
      openTracing(config.tracing, context, { statPrefix, isEgress: deps.isOutbound }),
    stats: httpStats(context.counters, statPrefix),
    get isDraining() {
      return drain.closes;
    },
    get isEnding() {
      return drain.isAtOnce;
    },
  };
}
