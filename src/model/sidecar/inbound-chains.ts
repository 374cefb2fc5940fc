import { INBOUND_PASSTHROUGH, inboundClusterName } from "../cluster.ts";
import type {
  FilterChain,
  FilterChainMatch,
  HttpChain,
  Inspection,
  InspectorUse,
  TcpChain,
} from "../listener.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { Origin } from "../origin.ts";
import type { MutualTlsMode } from "../peer-authentication.ts";
import { isHttp, type Protocol } from "../protocol.ts";
import { plainTcpChain } from "../routing/tcp-chain.ts";
import { chainProtocol, type InboundPort } from "./inbound-port.ts";
import { type InboundRoutesOptions, inboundRoutes } from "./inbound-routes.ts";
import { type ChainVariant, chainVariants, meshTls, userTlsVariants } from "./inbound-tls.ts";

/** What chains of all ports follow. */
export interface ChainSettings {
  readonly mesh: MeshSettings;
  readonly takesHttp10: boolean;
}

/** Istio's names of the chains for what no port is known for. */
const CATCH_ALL = "virtualInbound";
const CATCH_ALL_HTTP = "virtualInbound-catchall-http";

/** The chains of one port; `origins` beside its own are those of the policies. */
export function portChains(
  port: InboundPort,
  mode: MutualTlsMode,
  settings: ChainSettings,
  origins: readonly Origin[],
): readonly FilterChain[] {
  const { tls, number } = port;
  const name = `${port.bind}_${number}`;
  const cluster = inboundClusterName(number);
  const plan: ChainPlan = {
    destinationPort: number,
    http: {
      name,
      filter: httpChain(
        `inbound_${name}`,
        { ...port, cluster, isHttp: isHttp(port.protocol) },
        port.protocol,
      ),
    },
    tcp: { name, filter: plainTcpChain(cluster) },
    origins,
    settings,
  };
  if (tls === undefined || mode !== "DISABLE") {
    const variants = chainVariants(mode, chainProtocol(port.protocol), settings.takesHttp10);
    return variants.map((variant) => chainOf(variant, plan));
  }
  return userTlsVariants(isHttp(port.protocol) ? "http" : "tcp").map((variant) => ({
    ...chainOf(variant, plan),
    tls,
  }));
}

/** The chains for ports that nothing is known of: one of them, or (0) all. */
export function passthroughChains(
  port: number,
  mode: MutualTlsMode,
  settings: ChainSettings,
  origins: readonly Origin[],
): readonly FilterChain[] {
  const cluster = INBOUND_PASSTHROUGH;
  const routes = { cluster, servicePort: 0, operation: ":0/*", origins, isHttp: false };
  const plan: ChainPlan = {
    destinationPort: port === 0 ? undefined : port,
    http: { name: CATCH_ALL_HTTP, filter: httpChain(cluster, routes) },
    tcp: { name: CATCH_ALL, filter: plainTcpChain(cluster) },
    origins,
    settings,
  };
  return chainVariants(mode, "auto", settings.takesHttp10).map((variant) => chainOf(variant, plan));
}

interface ChainPlan {
  readonly destinationPort: number | undefined;
  readonly http: { readonly name: string; readonly filter: HttpChain };
  readonly tcp: { readonly name: string; readonly filter: TcpChain };
  readonly origins: readonly Origin[];
  readonly settings: ChainSettings;
}

function chainOf({ match, filter, isTls }: ChainVariant, plan: ChainPlan): FilterChain {
  const { destinationPort } = plan;
  const own: FilterChainMatch =
    destinationPort === undefined ? match : { destinationPort, ...match };
  return {
    ...plan[filter],
    match: own,
    tls: isTls ? meshTls(plan.settings.mesh, filter) : undefined,
    origins: plan.origins,
  };
}

/** HTTP that goes to the app, whose port may say what it speaks. */
export function httpChain(
  statPrefix: string,
  options: InboundRoutesOptions,
  protocol?: Protocol,
): HttpChain {
  return {
    type: "http",
    statPrefix,
    routes: inboundRoutes(options),
    role: "sidecar-inbound",
    ...(protocol === "grpc-web" && { takesGrpcWeb: true }),
  };
}

/** What must be looked at for chains to be told apart, on each port only as far as needed. */
export function inspectionOf(chains: readonly FilterChain[]): Pick<Inspection, "tls" | "http"> {
  return {
    tls: inspectorUse(chains, ({ transportProtocol }) => transportProtocol === "tls"),
    http: inspectorUse(chains, ({ applicationProtocols = [] }) =>
      applicationProtocols.some((name) => name === "http/1.1" || name === "h2c"),
    ),
  };
}

/** Stands for the chains of all ports. */
const ANY_PORT = 0;

function inspectorUse(
  chains: readonly FilterChain[],
  needsIt: (match: FilterChainMatch) => boolean,
): InspectorUse {
  const needs = new Map<number, boolean>();
  for (const { match } of chains) {
    const port = match.destinationPort ?? ANY_PORT;
    needs.set(port, needsIt(match) || needs.get(port) === true);
  }
  const isDefault = needs.get(ANY_PORT) === true;
  const others = [...needs].filter(
    ([port, isNeeded]) => port !== ANY_PORT && isNeeded !== isDefault,
  );
  const ports = others.map(([port]) => port).sort((a, b) => a - b);
  if (ports.length === 0) return isDefault;
  return isDefault ? { exceptPorts: ports } : { onlyPorts: ports };
}
