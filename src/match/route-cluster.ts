import {
  type RouteAction as RouteActionMessage,
  type WeightedCluster,
  type WeightedCluster_ClusterWeight,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Prng } from "../base/prng.ts";
import { decodeOverrides, mergeOverrides } from "./filter-overrides.ts";
import { decodeMutations, MUTATION_FIELDS, orderMutations } from "./header-mutations.ts";
import type { MatchRequest } from "./match-request.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import type { ClusterAction, ClusterChoice, HostRewrite } from "./route.ts";
import type { RouteContext } from "./route-context.ts";
import { mergeCriteria, subsetCriteria } from "./subset-criteria.ts";
import { wireText } from "./wire-text.ts";

/** The largest uint32. */
const WEIGHTS_MAX = 4_294_967_295;

type ClusterPart = Pick<ClusterAction, "clusterNames" | "chooseCluster">;

/** Decodes where an action sends requests; `hostRewrite` is the action's own. */
export function decodeClusters(
  message: RouteActionMessage,
  hostRewrite: HostRewrite | undefined,
  context: RouteContext,
): ClusterPart {
  const { path, issues, levels, mostSpecificWins, overrides } = context;
  const base: ClusterChoice = {
    name: "",
    subset: subsetCriteria(message.metadataMatch),
    ownHost: "",
    hostRewrite,
    mutations: orderMutations(levels, mostSpecificWins),
    filterOverrides: overrides,
  };
  const { clusterSpecifier: specifier } = message;
  switch (specifier.case) {
    case "cluster": {
      const { value: name } = specifier;
      if (name === "") issues.push({ path: joinPath(path, "cluster"), message: "is empty" });
      const choice = { ...base, name };
      return { clusterNames: [name], chooseCluster: () => choice };
    }
    case "clusterHeader": {
      const at = joinPath(path, "cluster_header");
      if (specifier.value === "") issues.push({ path: at, message: "is empty" });
      return { clusterNames: [], chooseCluster: chooseByHeader(base, specifier.value) };
    }
    case "weightedClusters":
      return decodeWeighted(specifier.value, base, {
        ...context,
        path: joinPath(path, "weighted_clusters"),
      });
    // Refused by name with the fields.
    case "clusterSpecifierPlugin":
    case "inlineClusterSpecifierPlugin":
      break;
    case undefined:
      issues.push({ path, message: "names no cluster" });
  }
  return { clusterNames: [], chooseCluster: () => base };
}

function ownHost({ hostRewriteSpecifier: rewrite }: WeightedCluster_ClusterWeight): string {
  return rewrite.case === "hostRewriteLiteral" ? wireText(rewrite.value) : "";
}

/** The cluster that a request header names; the first of several. */
function chooseByHeader(base: ClusterChoice, header: string): ClusterAction["chooseCluster"] {
  const name = wireText(header).toLowerCase();
  return (request) => {
    const value = firstValue(request, name);
    return value === undefined ? base : { ...base, name: value };
  };
}

function firstValue(request: MatchRequest, name: string): string | undefined {
  let first: string | undefined;
  request.headers.some(name, (value) => {
    first = value;
    return true;
  });
  return first;
}

function decodeWeighted(
  message: WeightedCluster,
  base: ClusterChoice,
  context: RouteContext,
): ClusterPart {
  const { path, issues } = context;
  // `total_weight` is checked by Envoy against nothing any more: the sum of the weights counts.
  const handled = ["clusters", "runtime_key_prefix", "total_weight", "header_name"];
  issues.push(...refuseFields(WeightedClusterSchema, message, handled, path));
  const weights: number[] = [];
  const choose: ClusterAction["chooseCluster"][] = [];
  for (const [at, cluster] of message.clusters.entries()) {
    const clusterPath = joinPath(path, `clusters[${at}]`);
    choose.push(decodeShare(cluster, base, { ...context, path: clusterPath }));
    weights.push(cluster.weight ?? 0);
    if (cluster.weight === undefined) {
      issues.push({ path: clusterPath, message: "Field 'weight' is missing" });
    }
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total > WEIGHTS_MAX) {
    const what = `sum of the weights exceeds ${WEIGHTS_MAX}`;
    issues.push({ path, message: what });
  }
  if (total === 0) {
    const what = "Sum of weights in the weighted_cluster must be greater than 0.";
    issues.push({ path, message: what });
  }
  const names = message.clusters.map(({ name }) => name);
  const { runtimeKeyPrefix, randomValueSpecifier: random } = message;
  const draw =
    random.case === "headerName" && random.value !== ""
      ? drawByHeader(wireText(random.value).toLowerCase())
      : drawByChance;
  const ends = runningSums(weights);
  return {
    clusterNames: names.filter((name) => name !== ""),
    chooseCluster: (request, prng) => {
      const now =
        runtimeKeyPrefix === ""
          ? ends
          : runningSums(
              weights.map(
                (weight, at) =>
                  request.runtime.integer(`${runtimeKeyPrefix}.${names[at]}`) ?? weight,
              ),
            );
      const sum = now[now.length - 1] ?? 0;
      // Weights that the runtime made zero leave no cluster to go to.
      if (sum === 0) return base;
      const chosen = choose[indexOf(now, draw(sum, request, prng))];
      return chosen === undefined ? base : chosen(request, prng);
    },
  };
}

function decodeShare(
  cluster: WeightedCluster_ClusterWeight,
  base: ClusterChoice,
  context: RouteContext,
): ClusterAction["chooseCluster"] {
  const { path, issues } = context;
  const handled = [
    "name",
    "cluster_header",
    "weight",
    "metadata_match",
    ...MUTATION_FIELDS,
    "typed_per_filter_config",
    "host_rewrite_literal",
  ];
  issues.push(...refuseFields(WeightedCluster_ClusterWeightSchema, cluster, handled, path));
  if (cluster.name !== "" && cluster.clusterHeader !== "") {
    const what = "Only one of name or cluster_header can be specified";
    issues.push({ path, message: what });
  } else if (cluster.name === "" && cluster.clusterHeader === "") {
    const what = "At least one of name or cluster_header need to be specified";
    issues.push({ path, message: what });
  }
  const own = decodeOverrides(cluster.typedPerFilterConfig, {
    decode: context.decodeOverride,
    path: joinPath(path, "typed_per_filter_config"),
    issues,
  });
  const { request, response } = decodeMutations(cluster, path, issues);
  const choice: ClusterChoice = {
    name: cluster.name,
    subset: mergeCriteria(base.subset, subsetCriteria(cluster.metadataMatch)),
    ownHost: ownHost(cluster),
    hostRewrite: base.hostRewrite,
    mutations: {
      // Its own come first, whichever level wins among the others; as in Envoy.
      request: [...(request === undefined ? [] : [request]), ...base.mutations.request],
      response: [...(response === undefined ? [] : [response]), ...base.mutations.response],
    },
    filterOverrides: mergeOverrides(base.filterOverrides, own),
  };
  if (cluster.clusterHeader !== "") return chooseByHeader(choice, cluster.clusterHeader);
  return () => choice;
}

/** A number in [0, total). */
type Draw = (total: number, request: MatchRequest, prng: Prng) => number;

const drawByChance: Draw = (total, _request, prng) => prng.next() * total;

/** The number that a header has, so that others choose likewise; without a usable one, chance. */
function drawByHeader(name: string): Draw {
  return (total, request, prng) => {
    let value = "";
    let count = 0;
    request.headers.some(name, (one) => {
      value = one;
      count++;
      return false;
    });
    if (count !== 1 || !/^\d{1,20}$/.test(value) || BigInt(value) >= 1n << 64n) {
      return drawByChance(total, request, prng);
    }
    return Number(BigInt(value) % BigInt(total));
  };
}

function runningSums(weights: readonly number[]): readonly number[] {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
}

/** Which of the intervals that end at `ends` a number stands in. */
function indexOf(ends: readonly number[], drawn: number): number {
  for (let at = 0; at < ends.length; at++) if (drawn < (ends[at] ?? 0)) return at;
  return ends.length - 1;
}

/** One of `names`, each as likely as its share of `total`; `ends` are the running sums. */
export function chooseWeighted(
  names: readonly string[],
  ends: readonly number[],
  total: number,
  prng: Prng,
): string {
  return names[indexOf(ends, prng.next() * total)] ?? "";
}
