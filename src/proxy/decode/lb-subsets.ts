import type { JsonObject } from "@bufbuild/protobuf";
import {
  type Cluster_LbSubsetConfig,
  type Cluster_LbSubsetConfig_LbSubsetSelector,
  Cluster_LbSubsetConfig_LbSubsetSelectorSchema,
  Cluster_LbSubsetConfigSchema,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetMetadataFallbackPolicy as MetadataFallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  type Subset,
  Subset_LbSubsetSelectorSchema,
  SubsetSchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { canonicalText } from "../../match/subset-criteria.ts";
import type { SubsetConfig, SubsetFallback, SubsetSelector } from "../cluster/cluster-config.ts";

const FALLBACKS: Readonly<Record<Fallback, SubsetFallback>> = {
  [Fallback.NO_FALLBACK]: "none",
  [Fallback.ANY_ENDPOINT]: "any",
  [Fallback.DEFAULT_SUBSET]: "default",
};

const SELECTOR_FALLBACKS: Readonly<Record<SelectorFallback, SubsetSelector["fallback"]>> = {
  [SelectorFallback.NOT_DEFINED]: undefined,
  [SelectorFallback.NO_FALLBACK]: "none",
  [SelectorFallback.ANY_ENDPOINT]: "any",
  [SelectorFallback.DEFAULT_SUBSET]: "default",
  [SelectorFallback.KEYS_SUBSET]: "keys",
};

const FIELDS = [
  "fallback_policy",
  "default_subset",
  "subset_selectors",
  "panic_mode_any",
  "locality_weight_aware",
  "scale_locality_weight",
  "list_as_any",
  "metadata_fallback_policy",
];

const SELECTOR_FIELDS = [
  "keys",
  "single_host_per_subset",
  "fallback_policy",
  "fallback_keys_subset",
];

/** Decodes the subsets of a cluster; without selectors there are none, as in Envoy. */
export function decodeSubsets(
  message: Cluster_LbSubsetConfig | undefined,
  path: string,
  issues: Issue[],
): SubsetConfig | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(Cluster_LbSubsetConfigSchema, message, FIELDS, path));
  for (const [at, selector] of message.subsetSelectors.entries()) {
    const schema = Cluster_LbSubsetConfig_LbSubsetSelectorSchema;
    const at_ = joinPath(path, `subset_selectors[${at}]`);
    issues.push(...refuseFields(schema, selector, SELECTOR_FIELDS, at_));
  }
  if (message.subsetSelectors.length === 0) return undefined;
  return decodeShared(message, false, path, issues);
}

/** Decodes the same as an extension. */
export function decodeSubsetExtension(
  message: Subset,
  path: string,
  issues: Issue[],
): SubsetConfig | undefined {
  const fields = [...FIELDS, "allow_redundant_keys", "subset_lb_policy"];
  issues.push(...refuseFields(SubsetSchema, message, fields, path));
  for (const [at, selector] of message.subsetSelectors.entries()) {
    const at_ = joinPath(path, `subset_selectors[${at}]`);
    issues.push(...refuseFields(Subset_LbSubsetSelectorSchema, selector, SELECTOR_FIELDS, at_));
  }
  return decodeShared(message, message.allowRedundantKeys, path, issues);
}

/** What both messages have; their enumerations are numbered alike. */
type SharedConfig = Pick<
  Cluster_LbSubsetConfig,
  "defaultSubset" | "panicModeAny" | "listAsAny" | "localityWeightAware" | "scaleLocalityWeight"
> & {
  readonly fallbackPolicy: number;
  readonly metadataFallbackPolicy: number;
  readonly subsetSelectors: readonly SharedSelector[];
};

type SharedSelector = Pick<
  Cluster_LbSubsetConfig_LbSubsetSelector,
  "keys" | "singleHostPerSubset" | "fallbackKeysSubset"
> & { readonly fallbackPolicy: number };

function decodeShared(
  message: SharedConfig,
  allowsRedundantKeys: boolean,
  path: string,
  issues: Issue[],
): SubsetConfig {
  return {
    // Numbers that are not known break a rule of the .proto file, which is checked after.
    fallback: FALLBACKS[message.fallbackPolicy as Fallback] ?? "none",
    defaultSubset: criteria(message.defaultSubset),
    // One without keys divides nothing.
    selectors: message.subsetSelectors.flatMap((selector, at) =>
      selector.keys.length === 0
        ? []
        : [decodeSelector(selector, joinPath(path, `subset_selectors[${at}]`), issues)],
    ),
    panicModeAny: message.panicModeAny,
    localityWeights: localityWeights(message),
    listAsAny: message.listAsAny,
    allowsRedundantKeys,
    usesFallbackList: message.metadataFallbackPolicy === MetadataFallback.FALLBACK_LIST,
  };
}

function localityWeights(message: SharedConfig): SubsetConfig["localityWeights"] {
  if (!message.localityWeightAware) return "none";
  return message.scaleLocalityWeight ? "scaled" : "whole";
}

function criteria(struct: JsonObject | undefined): SubsetConfig["defaultSubset"] {
  return Object.entries(struct ?? {}).map(([key, value]) => [key, canonicalText(value)] as const);
}

function decodeSelector(message: SharedSelector, path: string, issues: Issue[]): SubsetSelector {
  const keys = [...new Set(message.keys)].sort();
  const fallback = SELECTOR_FALLBACKS[message.fallbackPolicy as SelectorFallback];
  const fallbackKeys = [...new Set(message.fallbackKeysSubset)].sort();
  const refuse = (what: string): void => {
    issues.push({ path: joinPath(path, "fallback_keys_subset"), message: what });
  };
  if (fallback === "keys") {
    if (fallbackKeys.length === 0) refuse("is missing, and fallback_policy is KEYS_SUBSET");
    else if (!fallbackKeys.every((key) => keys.includes(key))) refuse("must be a part of keys");
    else if (fallbackKeys.length === keys.length) refuse("must not be all of keys");
  } else if (fallbackKeys.length > 0) {
    refuse("is only for fallback_policy KEYS_SUBSET");
  }
  return { keys, isSingleHost: message.singleHostPerSubset, fallback, fallbackKeys };
}
