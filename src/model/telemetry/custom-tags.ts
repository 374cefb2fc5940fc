import { compareText } from "../origin.ts";
import type { CustomTag } from "../proxy-telemetry.ts";
import type { TelemetryFacts } from "./proxy-facts.ts";

/** A tag as a Telemetry or a ProxyConfig has it; at most one of the fields is there. */
interface SaidTag {
  readonly literal?: { readonly value?: string };
  readonly environment?: { readonly name?: string; readonly defaultValue?: string };
  readonly header?: { readonly name?: string; readonly defaultValue?: string };
  readonly formatter?: { readonly value: string };
}

/** Istio's own tags, if they are wanted, with those that somebody asks for; sorted by name. */
export function customTags(
  facts: TelemetryFacts,
  hasIstioTags: boolean,
  said: Readonly<Record<string, SaidTag>> = {},
): readonly CustomTag[] {
  const own = Object.entries(said).flatMap(([name, tag]) => customTag(name, tag));
  return [...(hasIstioTags ? istioTags(facts) : []), ...own].sort((a, b) =>
    compareText(a.name, b.name),
  );
}

function customTag(name: string, tag: SaidTag): readonly CustomTag[] {
  const { literal, environment, header, formatter } = tag;
  if (literal !== undefined) return [{ name, type: "literal", value: literal.value ?? "" }];
  if (environment !== undefined) {
    const { name: from = "", defaultValue: fallback = "" } = environment;
    return [{ name, type: "environment", from, fallback }];
  }
  if (header !== undefined) {
    const { name: from = "", defaultValue: fallback = "" } = header;
    return [{ name, type: "header", from, fallback }];
  }
  return formatter === undefined ? [] : [{ name, type: "formatter", value: formatter.value }];
}

function istioTags(facts: TelemetryFacts): readonly CustomTag[] {
  const literal = (name: string, value: string): CustomTag => ({ name, type: "literal", value });
  return [
    literal("istio.canonical_revision", facts.canonicalRevision),
    literal("istio.canonical_service", facts.canonicalName),
    literal("istio.mesh_id", facts.meshId),
    literal("istio.namespace", facts.namespace),
    literal("istio.cluster_id", facts.clusterId),
    ...DRY_RUN_TAGS,
  ];
}

/** What AuthorizationPolicies that are only tried would have said. */
const DRY_RUN_TAGS: readonly CustomTag[] = ["allow", "deny"].flatMap((action) =>
  [
    ["name", "shadow_effective_policy_id"],
    ["result", "shadow_engine_result"],
  ].map(
    ([what, key]): CustomTag => ({
      name: `istio.authorization.dry_run.${action}_policy.${what}`,
      type: "request-metadata",
      filter: "envoy.filters.http.rbac",
      key: `istio_dry_run_${action}_${key}`,
    }),
  ),
);
