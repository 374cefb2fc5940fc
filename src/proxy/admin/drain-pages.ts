import type { DrainScope } from "../listener/drain.ts";
import { OK, type Page, type PageRequest, type Rendered } from "./page.ts";

/** What ends connections and listeners in order, while the process goes on. */
export const DRAIN_PAGES: readonly Page[] = [
  {
    path: "/drain_listeners",
    help: "drain listeners",
    params: {
      graceful: "Let connections end for the drain time before listeners close",
      skip_exit: "Let connections end, and never close the listeners",
      inboundonly: "Only listeners whose traffic_direction is INBOUND",
    },
    isPost: true,
    isForAll: true,
    render: drainListeners,
  },
  {
    path: "/healthcheck/fail",
    help: "cause the server to fail health checks",
    isPost: true,
    isForAll: true,
    render: (request) => setFailed(request, true),
  },
  {
    path: "/healthcheck/ok",
    help: "cause the server to pass health checks",
    isPost: true,
    isForAll: true,
    render: (request) => setFailed(request, false),
  },
];

function drainListeners({ state: { drain, listeners }, query }: PageRequest): Rendered {
  const scope: DrainScope = query.has("inboundonly") ? "inbound" : "all";
  const skipsExit = query.has("skip_exit");
  const stop = (): void => void listeners.stopAccepting(scope);
  if (skipsExit || query.has("graceful")) drain.start(scope, skipsExit ? () => undefined : stop);
  else stop();
  return OK;
}

function setFailed({ state: { drain } }: PageRequest, isFailed: boolean): Rendered {
  drain.isHealthCheckFailed = isFailed;
  return OK;
}
