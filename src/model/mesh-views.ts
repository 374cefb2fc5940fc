import { type Cell, CellGraph, type Family, isSameList } from "../base/cells.ts";
import { buildGatewayView } from "./gateway-part/gateway-view.ts";
import { issueCells } from "./issue-cells.ts";
import type { Mesh } from "./mesh.ts";
import type { ObjectIssue } from "./origin.ts";
import { clusterClientText, OutboundClusterCells, placeOf } from "./outbound-clusters.ts";
import type { ClientPlace } from "./policy/endpoint-groups.ts";
import type { ProxyNode } from "./proxy.ts";
import type { ProxyView } from "./proxy-view.ts";
import { ScopeCells, scopeText } from "./scope/scope-cells.ts";
import { clientText, labelsAskedFor } from "./sidecar/client.ts";
import { buildSidecarInbound } from "./sidecar/inbound.ts";
import { OutboundCells, sidecarOutbound } from "./sidecar/outbound.ts";
import { CollectorCells } from "./telemetry/collector-cells.ts";
import { proxyTelemetry } from "./telemetry/resolve.ts";
import { TrackedMesh } from "./tracked-mesh.ts";
import { NO_PART, type ViewPart } from "./view-part.ts";

/** Everything that the proxies of one scope have in common. */
interface ScopeViews {
  readonly scope: ScopeCells;
  /** Labels of clients that some rule looks at. */
  readonly labelKeys: Cell<ReadonlySet<string>>;
  /** By `clusterClientText`. */
  readonly clusters: Family<string, OutboundClusterCells>;
  /** By `clientText`. */
  readonly outbound: Family<string, OutboundCells>;
}

/**
 * What proxies see of a mesh, from one mesh to the next. Of each proxy's view only that is computed
 * anew which a change of the mesh touches; a view that nothing touches is the same value. The answer
 * for a mesh is the same whichever meshes came before it.
 */
export class MeshViews {
  readonly #graph = new CellGraph();
  readonly #tracked: TrackedMesh;
  readonly #scopes: Family<string, ScopeViews>;
  readonly #views: Family<ProxyNode, Cell<ProxyView>>;
  readonly #issues: Cell<readonly ObjectIssue[]>;
  readonly #collectors: CollectorCells;
  #mesh: Mesh;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
    this.#tracked = new TrackedMesh(this.#graph, mesh);
    this.#collectors = new CollectorCells(this.#graph, this.#tracked);
    this.#scopes = this.#graph.family((text: string) => this.#scopeViews(text));
    this.#issues = issueCells(this.#graph, this.#tracked);
    this.#views = this.#graph.family((proxy: ProxyNode) => this.#proxyView(proxy));
  }

  /** What there is to remember, and how often something had to be computed so far. */
  get counts(): { readonly cells: number; readonly computations: number } {
    return { cells: this.#graph.size, computations: this.#graph.computations };
  }

  /** What a proxy sees of a mesh. */
  view(mesh: Mesh, proxy: ProxyNode): ProxyView {
    this.#turnTo(mesh);
    return this.#views.get(proxy).get();
  }

  /** A proxy is gone: what was made for it alone is forgotten, what others may share stays a while. */
  forget(proxy: ProxyNode): void {
    this.#views.get(proxy).drop();
    this.#views.forget(proxy);
  }

  /** What is wrong between the objects of a mesh. */
  issues(mesh: Mesh): readonly ObjectIssue[] {
    this.#turnTo(mesh);
    return this.#issues.get();
  }

  #turnTo(mesh: Mesh): void {
    if (mesh === this.#mesh) return;
    this.#mesh = mesh;
    this.#graph.turn();
    this.#tracked.set(mesh);
  }

  #scopeViews(text: string): ScopeViews {
    const [graph, mesh] = [this.#graph, this.#tracked];
    const scope = new ScopeCells(graph, mesh, text);
    return {
      scope,
      labelKeys: graph.cell(
        () => labelsAskedFor(mesh.destinationRules, scope.whole.get().virtualServices),
        isSameSet,
      ),
      clusters: graph.family(
        (client: string) =>
          new OutboundClusterCells(graph, mesh, { scope, client, collectors: this.#collectors }),
      ),
      outbound: graph.family(
        (client: string) => new OutboundCells(graph, mesh, scope, JSON.parse(client) as ProxyNode),
      ),
    };
  }

  /** The parts of one proxy's view, each in a cell of its own; the view is put together of them. */
  #proxyView(proxy: ProxyNode): Cell<ProxyView> {
    const [graph, mesh] = [this.#graph, this.#tracked];
    const ownScope = own(graph.cell(() => scopeText(mesh, proxy)));
    const views = own(graph.cell(() => this.#scopes.get(ownScope.get())));
    const clusterClient = own(graph.cell(() => clusterClientText(mesh, proxy)));
    const place = own(graph.cell(() => JSON.stringify(placeOf(mesh, proxy))));
    const clusterCells = own(graph.cell(() => views.get().clusters.get(clusterClient.get())));
    const clusters = own(
      graph.cell(() => clusterCells.get().of(JSON.parse(place.get()) as ClientPlace)),
    );
    const telemetry = own(
      graph.cell(() => proxyTelemetry(mesh, proxy, this.#collectors.targets.get())),
    );
    const parts = own(
      proxy.type === "router" ? this.#gatewayParts(proxy, views) : this.#sidecarParts(proxy, views),
    );
    return graph.cell((): ProxyView => {
      const { own: ownPart, shared } = parts.get();
      const { ownClusters } = telemetry.get();
      const { whole, rules } = views.get().scope;
      return {
        proxy,
        settings: rules.get().settings,
        clusters: clusters.get().clusters.get(),
        endpoints: clusters.get().endpoints.get(),
        virtualHosts: [],
        telemetry: telemetry.get(),
        own: ownClusters.length === 0 ? ownPart : withClusters(ownPart, ownClusters),
        shared,
        issues: [
          ...whole.get().issues,
          ...clusterCells.get().issues.get(),
          ...ownPart.issues,
          ...shared.issues,
        ],
      };
    }, isSameView);
  }

  #gatewayParts(proxy: ProxyNode, views: Cell<ScopeViews>): Cell<ViewParts> {
    return this.#graph.cell(() => {
      const part = buildGatewayView(this.#tracked, proxy, views.get().scope.whole.get());
      return { own: part, shared: NO_PART };
    }, isSameParts);
  }

  #sidecarParts(proxy: ProxyNode, views: Cell<ScopeViews>): Cell<ViewParts> {
    const [graph, mesh] = [this.#graph, this.#tracked];
    const client = own(graph.cell(() => clientText(proxy, views.get().labelKeys.get())));
    const inbound = own(
      graph.cell(() => buildSidecarInbound(mesh, proxy, views.get().scope.rules.get())),
    );
    const outbound = own(
      graph.cell(() => {
        const { outbound: cells, scope } = views.get();
        return sidecarOutbound(cells.get(client.get()), proxy, scope.withoutHttp.get());
      }),
    );
    return graph.cell(() => {
      const { own: ownPart, shared } = outbound.get();
      return { own: joinParts(ownPart, inbound.get()), shared };
    }, isSameParts);
  }
}

/** A cell of one proxy, which goes when that one's view does. */
function own<T>(cell: Cell<T>): Cell<T> {
  cell.isOfReader = true;
  return cell;
}

interface ViewParts {
  readonly own: ViewPart;
  readonly shared: ViewPart;
}

function isSameView(last: ProxyView, next: ProxyView): boolean {
  return (
    last.settings === next.settings &&
    last.clusters === next.clusters &&
    last.endpoints === next.endpoints &&
    last.telemetry === next.telemetry &&
    isSamePart(last.own, next.own) &&
    isSamePart(last.shared, next.shared) &&
    isSameList(last.issues, next.issues)
  );
}

function isSameParts(last: ViewParts, next: ViewParts): boolean {
  return isSamePart(last.own, next.own) && isSamePart(last.shared, next.shared);
}

function isSamePart(last: ViewPart, next: ViewPart): boolean {
  return (
    isSameList(last.listeners, next.listeners) &&
    isSameList(last.routes, next.routes) &&
    isSameList(last.clusters, next.clusters) &&
    isSameList(last.issues, next.issues)
  );
}

function joinParts(first: ViewPart, second: ViewPart): ViewPart {
  return {
    listeners: [...first.listeners, ...second.listeners],
    routes: [...first.routes, ...second.routes],
    clusters: [...first.clusters, ...second.clusters],
    issues: [...first.issues, ...second.issues],
  };
}

function withClusters(part: ViewPart, clusters: ViewPart["clusters"]): ViewPart {
  return { ...part, clusters: [...part.clusters, ...clusters] };
}

function isSameSet(last: ReadonlySet<string>, next: ReadonlySet<string>): boolean {
  return last.size === next.size && [...last].every((one) => next.has(one));
}
