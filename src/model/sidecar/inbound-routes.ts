import type { Origin } from "../origin.ts";
import { NO_OPERATIONS, NO_REWRITE, type RetryPolicy, type RouteConfiguration } from "../route.ts";
import { MATCH_ALL } from "../route-match.ts";

/** Where the requests of one port go. */
export interface InboundRoutesOptions {
  readonly cluster: string;
  /** Names the virtual host. */
  readonly servicePort: number;
  readonly operation: string;
  readonly origins: readonly Origin[];
  /** Whether the port says that it speaks HTTP. */
  readonly isHttp: boolean;
}

/**
 * A request that the app has not seen, because it closed a kept connection just then, is tried
 * again (Istio's `ENABLE_INBOUND_RETRY_POLICY`).
 */
const INBOUND_RETRY: RetryPolicy = {
  conditions: "reset-before-request",
  statusCodes: [],
  attempts: 2,
  perTryTimeoutMs: 0,
  backoffMs: undefined,
  isElsewhere: false,
  isInOtherLocalities: false,
};

/** One route for all requests; clients have chosen already, so there is no timeout here. */
export function inboundRoutes({
  cluster,
  servicePort,
  operation,
  origins,
  isHttp,
}: InboundRoutesOptions): RouteConfiguration {
  const [origin] = origins;
  return {
    name: cluster,
    ignoresPort: false,
    virtualHosts: [
      {
        name: `inbound|http|${servicePort}`,
        domains: ["*"],
        routes: [
          {
            name: "default",
            match: MATCH_ALL,
            action: {
              type: "forward",
              clusters: [
                {
                  name: cluster,
                  weight: 1,
                  requestHeaders: NO_OPERATIONS,
                  responseHeaders: NO_OPERATIONS,
                  origin,
                },
              ],
              timeoutMs: 0,
              retry: isHttp ? INBOUND_RETRY : undefined,
              rewrite: NO_REWRITE,
              mirrors: [],
              hashKeys: [],
              isHostOfUpstream: false,
            },
            requestHeaders: NO_OPERATIONS,
            responseHeaders: NO_OPERATIONS,
            cors: undefined,
            fault: undefined,
            operation,
            statPrefix: "",
            origin,
          },
        ],
      },
    ],
  };
}
