import type { Issue } from "../base/issue.ts";
import type { HttpRetry } from "../config/http-route.ts";
import type { ObjectKey } from "../config/object.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import type { Labels } from "./labels.ts";
import type {
  CorsPolicy,
  DirectResponse,
  HeaderOperations,
  HttpFault,
  RedirectAction,
  Rewrite,
} from "./route.ts";
import type { RouteMatch } from "./route-match.ts";
import type { Visibility } from "./visibility.ts";

/** The word for all sidecars, where a gateway's name may stand. */
export const MESH_GATEWAY = "mesh";

/** One VirtualService: names in full, matches checked, what cannot be served left out. */
export interface VirtualService {
  readonly key: ObjectKey;
  readonly object: VirtualServiceObject;
  readonly namespace: string;
  /** Who may see it, and so is routed by it. */
  readonly visibility: Visibility;
  /** None: a delegate, which is used by others alone. */
  readonly hosts: readonly string[];
  /** `namespace/name`, or `mesh`. */
  readonly gateways: readonly string[];
  /** Those of delegates stand in the place of the rules that name them. */
  readonly rules: readonly HttpRule[];
  /** For TLS that is passed on as it is. */
  readonly tlsRules: readonly TlsRule[];
  /** For connections of any protocol. */
  readonly tcpRules: readonly TcpRule[];
  /** Why rules were left out. */
  readonly issues: readonly Issue[];
}

/** One entry of `http`. */
export interface HttpRule {
  /** The object that it stands in: the VirtualService itself, or its delegate. */
  readonly key: ObjectKey;
  readonly path: string;
  /** Where the VirtualService delegates to it; absent for its own. */
  readonly delegatedAt: string | undefined;
  readonly name: string;
  /** Alternatives, in order; never empty. */
  readonly matches: readonly HttpMatch[];
  readonly action: RuleAction;
  /** Where to; of several each has a weight. Empty for rules that answer by themselves. */
  readonly destinations: readonly HttpDestination[];
  readonly mirrors: readonly RuleMirror[];
  readonly requestHeaders: HeaderOperations;
  readonly responseHeaders: HeaderOperations;
  readonly cors: CorsPolicy | undefined;
  readonly fault: HttpFault | undefined;
}

/** What a rule does, as far as that is the same for all proxies. */
export type RuleAction = ForwardRule | RedirectRule | DirectResponse;

/** Sends a request to the rule's destinations. */
export interface ForwardRule {
  readonly type: "forward";
  /** 0: none. */
  readonly timeoutMs: number;
  /** Absent: as the mesh says. */
  readonly retries: HttpRetry | undefined;
  readonly rewrite: Rewrite;
}

/** A redirect whose port may be the one that the request came to. */
export interface RedirectRule extends Omit<RedirectAction, "port"> {
  readonly port: number | "request" | undefined;
}

/** Which clients a `match` entry is for, and where. */
export interface SourceMatch {
  /** Gateways that the entry is for; absent: those of the whole object, for the clients below. */
  readonly gateways: readonly string[] | undefined;
  /** The port that the client asks for; absent: every port. */
  readonly port: number | undefined;
  /** Labels that the client has; looked at only without `gateways`, as in Istio. */
  readonly sourceLabels: Labels;
  /** Looked at only without `gateways`, as in Istio. */
  readonly sourceNamespace: string | undefined;
}

/** One entry of `match`; a rule without any has one that takes all. */
export interface HttpMatch extends SourceMatch {
  /** The place of the entry, or of the rule when it has none. */
  readonly path: string;
  readonly name: string;
  readonly match: RouteMatch;
  readonly statPrefix: string;
}

/** One weighted destination. */
export interface RuleDestination {
  readonly path: string;
  readonly host: string;
  /** "" for all endpoints. */
  readonly subset: string;
  /** Absent: the service's only port, else the port that was asked for. */
  readonly port: number | undefined;
  readonly weight: number;
}

/** One weighted destination of requests. */
export interface HttpDestination extends RuleDestination {
  readonly requestHeaders: HeaderOperations;
  readonly responseHeaders: HeaderOperations;
  /** The host that requests get. */
  readonly authority: string | undefined;
}

/** Who gets a copy of requests. */
export interface RuleMirror {
  /** Its weight means nothing. */
  readonly destination: RuleDestination;
  /** Of a million requests; never 0. */
  readonly perMillion: number;
}

/** One entry of `tls`. */
export interface TlsRule {
  readonly path: string;
  /** Alternatives; never empty. */
  readonly matches: readonly TlsMatch[];
  /** Never empty, and of several each has a weight. */
  readonly destinations: readonly RuleDestination[];
}

/** One entry of `tcp`. */
export interface TcpRule {
  readonly path: string;
  /** Alternatives; never empty: without any in the object, one that takes all connections. */
  readonly matches: readonly L4Match[];
  /** Never empty, and of several each has a weight. */
  readonly destinations: readonly RuleDestination[];
}

/** Which connections a rule is for. */
export interface L4Match extends SourceMatch {
  readonly path: string;
  /** Addresses or CIDR ranges as written; empty: every address. */
  readonly destinationSubnets: readonly string[];
}

/** Which TLS connections a rule is for. */
export interface TlsMatch extends L4Match {
  /** Names or wildcards in lower case; never empty. */
  readonly sniHosts: readonly string[];
}

/** One gateway's name in full; `name.namespace`, with more behind it or not, is an older form. */
export function resolveGateway(name: string, namespace: string): string {
  if (name === MESH_GATEWAY) return name;
  if (name.includes("/")) return name.startsWith("./") ? `${namespace}${name.slice(1)}` : name;
  const [own = name, other = namespace] = name.split(".");
  return `${other}/${own}`;
}
