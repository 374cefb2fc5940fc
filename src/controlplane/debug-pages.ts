import type { ClientStatus } from "../ads/client-status.ts";
import type { Published } from "../ads/publish-plan.ts";
import { VERSION } from "../base/version.ts";
import type { ObjectKey } from "../config/object.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ConfigView } from "../store/store.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import { configDump, type DumpSource, kindOfWord, typedDump } from "./config-dump.ts";
import { configJson, istioKinds, meshConfigJson } from "./config-json.ts";
import type { ControlPlaneStatus } from "./control-plane-status.ts";
import { distributionPage } from "./distribution-page.ts";
import { JsonList, JsonRecord } from "./json-chunks.ts";
import { meshProblems, PROBLEMS } from "./mesh-problems.ts";
import { jsonPage, type Page, type PageEntry, type Pages, textPage } from "./page.ts";
import {
  adsJson,
  connectionsJson,
  instancesJson,
  type KnownProxy,
  resourceStatuses,
  sidecarJson,
} from "./proxy-json.ts";
import type { ConnectedProxy } from "./proxy-pool.ts";
import { endpointLines, endpointShardsJson, endpointsJson, registryJson } from "./registry-json.ts";
import type { ScopePage } from "./scope-page.ts";
import type { DistributionAnswer } from "./status-board.ts";
import { synczEntry } from "./sync-status.ts";

/** What the pages show. */
export interface DebugTarget {
  readonly isReady: () => boolean;
  readonly metrics: MetricRegistry;
  readonly status: () => ControlPlaneStatus;
  readonly clients: () => readonly ClientStatus[];
  /** By client id. */
  readonly proxies: () => ReadonlyMap<string, ConnectedProxy>;
  readonly published: (clientId: string) => Published | undefined;
  readonly distribution: (key: ObjectKey, proxy?: string) => DistributionAnswer | undefined;
  readonly view: () => ConfigView;
  readonly mesh: () => Mesh;
  readonly scopes: () => ScopePage;
  /** Builds every proxy's configuration anew, and sends what differs. */
  readonly refresh: () => void;
}

/** What nobody is connected under, in istiod's words: istioctl looks for them. */
const NOT_CONNECTED =
  "Proxy not connected to this Pilot instance. It may be connected to another instance.\n";
const NO_PROXY_ID = "You must provide a proxyID in the query string\n";

/** What istiod shows and weft has nothing of yet. */
const MISSING: Readonly<Record<string, string>> = {
  ecdsz: "filters that are discovered by themselves",
  ndsz: "a table of names for proxies that answer DNS",
  authorizationz: "AuthorizationPolicies",
  telemetryz: "Telemetry objects",
  inject: "injection of sidecars",
  ambientz: "ambient mode",
  clusterz: "remote clusters",
  networkz: "gateways between networks",
  mcsz: "Kubernetes' services of several clusters",
};

/** The pages of the control plane's monitoring port, under istiod's paths and in its shapes. */
export function debugPages(target: DebugTarget): Pages {
  const debug: Readonly<Record<string, PageEntry>> = {
    ...stateEntries(target),
    ...proxyEntries(target),
    ...meshEntries(target),
    ...Object.fromEntries(
      Object.entries(MISSING).map(([name, what]) => [
        `/debug/${name}`,
        { get: () => missing(what) },
      ]),
    ),
  };
  const listed = Object.entries(debug).flatMap(([path, { help }]) =>
    help === undefined ? [] : [{ path, help }],
  );
  const ready: PageEntry = {
    get: () => (target.isReady() ? textPage("ready\n") : textPage("not ready\n", 503)),
  };
  const index: PageEntry = { get: () => indexPage(listed), isLocal: true };
  return {
    "/ready": ready,
    "/healthz/ready": ready,
    "/version": { get: () => textPage(`${VERSION}\n`) },
    "/metrics": { get: () => metricsPage(target.metrics) },
    "/debug": index,
    "/debug/": index,
    "/debug/list": {
      get: (query) =>
        jsonPage(
          listed.map(({ path }) => path.slice("/debug/".length)),
          query,
        ),
      isLocal: true,
    },
    ...Object.fromEntries(
      Object.entries(debug).map(([path, entry]) => [path, { ...entry, isLocal: true }]),
    ),
  };
}

function stateEntries(target: DebugTarget): Readonly<Record<string, PageEntry>> {
  return {
    "/debug/syncz": {
      help: "what every proxy was sent and has acknowledged (?namespace=)",
      get: (query) => synczPage(target, query),
    },
    "/debug/status": {
      help: "proxies, how far each object has come, and what is wrong with the configuration",
      get: (query) => jsonPage(target.status(), query),
    },
    "/debug/distribution": {
      help: "how far an object has come (?object=GROUP/KIND/NAMESPACE/NAME, proxy=)",
      get: (query) => distributionPage(target.distribution, query),
    },
    "/debug/adsz": {
      help: "connected proxies and what they ask for (?proxyID=; POST ?push=true looks at all again)",
      get: (query) =>
        query.has("push")
          ? textPage("a push is asked for by POST: curl -X POST …/debug/adsz?push=true\n", 405)
          : adsPage(target, query),
      post: (query) => pushPage(target, query),
    },
    "/debug/connections": {
      help: "connected proxies",
      get: (query) => jsonPage(connectionsJson(knownProxies(target)), query),
    },
    "/debug/push_status": {
      help: "what is not as it should be, by istiod's metric, then by what has it",
      get: (query) => pushStatusPage(target, query),
    },
  };
}

function proxyEntries(target: DebugTarget): Readonly<Record<string, PageEntry>> {
  const ofProxy =
    (page: (source: DumpSource & KnownProxy, query: URLSearchParams) => Page) =>
    (query: URLSearchParams): Page => {
      const proxyId = query.get("proxyID") ?? "";
      if (proxyId === "") return textPage(NO_PROXY_ID, 400);
      const found = findProxy(target, proxyId);
      return found === undefined ? textPage(NOT_CONNECTED, 404) : page(found, query);
    };
  return {
    "/debug/config_dump": {
      help: "a proxy's configuration as its own config_dump has it (?proxyID=, types=, include_eds)",
      get: ofProxy(dumpPage),
    },
    "/debug/edsz": {
      help: "the endpoints that a proxy has (?proxyID=)",
      get: ofProxy((source, query) => jsonPage(typedDump(source, ["endpoint"]), query)),
    },
    "/debug/sidecarz": {
      help: "the services that a proxy sees, and by which Sidecar (?proxyID=)",
      get: ofProxy(({ node }, query) => jsonPage(sidecarJson(target.mesh(), node), query)),
    },
    "/debug/scopez": {
      help: "what workloads in automatic scope were seen to call",
      get: (query) => jsonPage(target.scopes(), query),
    },
    "/debug/instancesz": {
      help: "by proxy, the service ports that lead to it",
      get: (query) => jsonPage(instancesJson(target.mesh(), knownProxies(target)), query),
    },
  };
}

function meshEntries(target: DebugTarget): Readonly<Record<string, PageEntry>> {
  return {
    "/debug/configz": {
      help: "the objects of Istio's kinds",
      get: (query) => jsonPage(configJson(target.view()), query),
    },
    "/debug/resourcesz": {
      help: "the kinds of object that are read",
      get: (query) => jsonPage(istioKinds(), query),
    },
    "/debug/registryz": {
      help: "services",
      get: (query) => jsonPage(registryJson(target.mesh()), query),
    },
    "/debug/endpointz": {
      help: "endpoints by service and port (?brief: a line each)",
      get: (query) =>
        query.has("brief")
          ? { contentType: "text/plain; charset=utf-8", body: endpointLines(target.mesh()) }
          : jsonPage(endpointsJson(target.mesh()), query),
    },
    "/debug/endpointShardz": {
      help: "endpoints by hostname, namespace and registry",
      get: (query) => jsonPage(endpointShardsJson(target.mesh()), query),
    },
    "/debug/mesh": {
      help: "the mesh's settings",
      get: (query) => jsonPage(meshConfigJson(target.mesh()), query),
    },
  };
}

function missing(what: string): Page {
  return textPage(`weft has no ${what} yet; /debug/list names the pages that there are\n`, 404);
}

function metricsPage(metrics: MetricRegistry): Page {
  return { contentType: "text/plain; version=0.0.4; charset=utf-8", body: metrics.text() };
}

function indexPage(listed: readonly { readonly path: string; readonly help: string }[]): Page {
  const rows = listed.map(
    ({ path, help }) => `<tr><td><a href="${path}">${path}</a></td><td>${help}</td></tr>`,
  );
  const note = "<p>Add <b>?pretty</b> to read JSON more easily.</p>";
  return {
    contentType: "text/html; charset=utf-8",
    body: `<!doctype html><title>weft</title>${note}<table>${rows.join("\n")}</table>\n`,
  };
}

function synczPage(target: DebugTarget, query: URLSearchParams): Page {
  const namespace = query.get("namespace") ?? "";
  const clients = new Map(target.clients().map((client) => [client.clientId, client]));
  const { proxies } = target.status();
  const rows = function* (): Generator<unknown> {
    for (const status of proxies) {
      if (namespace !== "" && !status.proxy.endsWith(`.${namespace}`)) continue;
      const client = clients.get(status.clientId);
      yield { ...synczEntry(status), ...(client && { resources: resourceStatuses(client) }) };
    }
  };
  return jsonPage(new JsonList(rows), query);
}

function adsPage(target: DebugTarget, query: URLSearchParams): Page {
  const proxyId = query.get("proxyID") ?? "";
  if (proxyId === "") return jsonPage(adsJson(knownProxies(target)), query);
  const found = findProxy(target, proxyId);
  return found === undefined ? textPage(NOT_CONNECTED, 404) : jsonPage(adsJson([found]), query);
}

/** istiod sends everything again; here nobody is sent what it has. */
function pushPage(target: DebugTarget, query: URLSearchParams): Page {
  if (query.get("push") !== "true") return textPage("POST is for ?push=true\n", 400);
  const count = target.proxies().size;
  target.refresh();
  return textPage(`looking at ${count} proxies again; they are sent what differs\n`);
}

function pushStatusPage(target: DebugTarget, query: URLSearchParams): Page {
  const proxies = [...target.proxies().values()];
  const problems = meshProblems(target.mesh(), target.view(), proxies);
  // istiod names only what there is some of.
  const some = PROBLEMS.filter((name) => problems[name].size > 0);
  return jsonPage(
    new JsonRecord(() => some.map((name) => [name, new JsonRecord(() => problems[name])])),
    query,
  );
}

function dumpPage(source: DumpSource, query: URLSearchParams): Page {
  const words = (query.get("types") ?? "").split(",").filter((word) => word !== "");
  if (words.length === 0) return jsonPage(configDump(source, query.has("include_eds")), query);
  const kinds = words.flatMap((word) => kindOfWord(word) ?? []);
  if (kinds.length < words.length) {
    const text = `types=${words.join()}: there is cds, eds, lds, rds and vhds\n`;
    return textPage(text, 400);
  }
  return jsonPage(typedDump(source, kinds), query);
}

/** The clients with how they introduced themselves. */
export function knownProxies(target: DebugTarget): readonly KnownProxy[] {
  const proxies = target.proxies();
  return target.clients().flatMap((client) => {
    const node = proxies.get(client.clientId)?.node;
    return node === undefined ? [] : [{ client, node }];
  });
}

/** The proxy of an id: the client's, the node's, `pod.namespace`; else, as istiod has it, a part of the client's. */
export function findProxy(
  target: DebugTarget,
  proxyId: string,
): (DumpSource & KnownProxy) | undefined {
  const known = knownProxies(target);
  const found =
    known.find(
      ({ client, node }) =>
        client.clientId === proxyId ||
        node.id === proxyId ||
        `${node.name}.${node.namespace}` === proxyId,
    ) ?? known.find(({ client }) => client.clientId.includes(proxyId));
  const published = found === undefined ? undefined : target.published(found.client.clientId);
  return found === undefined || published === undefined ? undefined : { ...found, published };
}
