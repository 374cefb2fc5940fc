/**
 * What a churn run's objects say at one moment, in plain values, and what a request may come to by
 * them. The oracle: written down from what the objects mean, with none of weft's code.
 */

/** Services of the mesh; each has a pod of every version. */
export const HOSTS = ["a", "b", "c", "d"] as const;
export type Host = (typeof HOSTS)[number];

export const VERSIONS = ["v1", "v2"] as const;
export type Version = (typeof VERSIONS)[number];

/** What is asked for; rules match by these as prefixes. */
export const PATHS = ["/x", "/y", "/z"] as const;
export type Path = (typeof PATHS)[number];

/** Where a rule sends to; without a subset, to the whole service. */
export interface Target {
  readonly host: Host;
  readonly subset?: string;
}

/** One rule of a VirtualService: to each of its targets an equal share. */
export interface Rule {
  /** Absent: every path. */
  readonly prefix?: Path;
  readonly targets: readonly Target[];
}

/** A DestinationRule: its subsets by name, and a number that only makes its clusters differ. */
export interface Subsets {
  readonly versions: Readonly<Record<string, Version>>;
  readonly connectTimeoutSeconds: number;
}

/** The objects of one host; what is `undefined` is not there. */
export interface HostState {
  readonly hasService: boolean;
  /** The versions whose pod is ready. */
  readonly ready: readonly Version[];
  readonly subsets: Subsets | undefined;
  readonly rules: readonly Rule[] | undefined;
}

export type ChurnState = Readonly<Record<Host, HostState>>;

/** What a request comes to by one state. */
export interface Verdict {
  /** Whether every way that it may take ends at a pod. */
  readonly isValid: boolean;
  /** Who may answer: `a-v1`. */
  readonly pods: ReadonlySet<string>;
  /** Nobody has this host: what the proxy does with such is not this test's question. */
  readonly isForeign: boolean;
}

const ALL_THERE: HostState = {
  hasService: true,
  ready: VERSIONS,
  subsets: { versions: { v1: "v1", v2: "v2" }, connectTimeoutSeconds: 1 },
  rules: undefined,
};

/** Everything is there, nothing is routed in a special way. */
export const START_STATE: ChurnState = { a: ALL_THERE, b: ALL_THERE, c: ALL_THERE, d: ALL_THERE };

/**
 * What `GET http://host:9080/path` comes to when the proxy has the routes of one state, and the
 * clusters and endpoints of the same or of another.
 */
export function judge(
  routes: ChurnState,
  host: Host,
  path: Path,
  clusters: ChurnState = routes,
): Verdict {
  const { hasService, rules } = routes[host];
  if (!hasService) return { isValid: false, pods: new Set(), isForeign: true };
  const rule = rules?.find(({ prefix }) => prefix === undefined || prefix === path);
  const targets = rules === undefined ? [{ host }] : (rule?.targets ?? []);
  const answering = targets.map((target) => podsOf(clusters, target));
  return {
    isValid: answering.length > 0 && answering.every((pods) => pods.length > 0),
    pods: new Set(answering.flat()),
    isForeign: false,
  };
}

function podsOf(state: ChurnState, { host, subset }: Target): readonly string[] {
  const { hasService, ready, subsets } = state[host];
  if (!hasService) return [];
  const only = subset === undefined ? undefined : subsets?.versions[subset];
  if (subset !== undefined && only === undefined) return [];
  return ready
    .filter((version) => only === undefined || version === only)
    .map((version) => `${host}-${version}`);
}
