import type { Issue } from "../../base/issue.ts";
import { checkHeaderText, checkHeaderValue } from "../header-value.ts";
import type { PolicyTargetReference, Telemetry, TelemetryTracing } from "../telemetry.ts";
import { checkCelSyntax } from "./cel-syntax.ts";
import { validateSelector } from "./selector-rules.ts";

/** What Istio's webhook refuses about a Telemetry beyond its schema, and what it warns of. */
export function validateTelemetry({ spec = {} }: Telemetry): readonly Issue[] {
  const { selector, targetRef, targetRefs = [], tracing = [] } = spec;
  return [
    ...(selector === undefined
      ? []
      : validateSelector(selector.matchLabels, "spec.selector.matchLabels")),
    ...(targetRef === undefined ? [] : validateTargetRef(targetRef, "spec.targetRef")),
    ...targetRefs.flatMap((one, at) => validateTargetRef(one, `spec.targetRefs[${at}]`)),
    ...validateTracing(tracing),
    ...validateMetrics(spec.metrics),
    ...(spec.accessLogging ?? []).flatMap(({ filter }, at) => {
      const wrong = filter === undefined ? undefined : checkCelSyntax(filter.expression ?? "");
      const path = `spec.accessLogging[${at}].filter.expression`;
      return wrong === undefined ? [] : [{ path, message: wrong }];
    }),
  ];
}

/** What a policy of Istio may be for, by API group. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  "": ["Service"],
  core: ["Service"],
  "networking.istio.io": ["ServiceEntry"],
  "gateway.networking.k8s.io": ["Gateway", "GatewayClass"],
};

function validateTargetRef(
  { group = "", kind, namespace = "" }: PolicyTargetReference,
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  if (namespace !== "") {
    const message = "may not be set: a policy is for its own namespace";
    issues.push({ path: `${path}.namespace`, message });
  }
  const known = Object.hasOwn(TARGETS, group) ? TARGETS[group] : undefined;
  if (known?.includes(kind) !== true) {
    const message =
      "must be a Service, a ServiceEntry of networking.istio.io, or a Gateway or GatewayClass of " +
      `gateway.networking.k8s.io: got ${kind} of "${group}"`;
    issues.push({ path, message });
  } else if (kind !== "Gateway") {
    const message = `has no effect: a ${kind} is for waypoints, and ambient mode is not built yet`;
    issues.push({ path, message, severity: "warning" });
  }
  return issues;
}

function validateTracing(tracing: readonly TelemetryTracing[]): readonly Issue[] {
  const issues: Issue[] = [];
  if (tracing.length > 1) {
    const message = "has several entries, of which a later one overrides what those before it say";
    issues.push({ path: "spec.tracing", message, severity: "warning" });
  }
  for (const [at, { providers = [], customTags = {} }] of tracing.entries()) {
    const path = `spec.tracing[${at}]`;
    if (providers.length > 1) {
      const message = "has several providers, of which only the first is told";
      issues.push({ path: `${path}.providers`, message, severity: "warning" });
    }
    for (const [name, tag] of Object.entries(customTags)) {
      const where = `${path}.customTags[${name}]`;
      if (name === "") issues.push({ path: where, message: "the name of a tag must not be empty" });
      const wrong = checkTag(tag);
      if (wrong !== undefined) issues.push({ path: where, message: wrong });
      if (Object.keys(tag).length === 0) {
        const message = "has no effect: it has none of literal, environment, header and formatter";
        issues.push({ path: where, message, severity: "warning" });
      }
    }
  }
  return issues;
}

type CustomTag = NonNullable<TelemetryTracing["customTags"]>[string];

/** A proxy refuses all of its listeners for one tag that it cannot read. */
function checkTag({ formatter, header }: CustomTag): string | undefined {
  if (formatter !== undefined) return checkHeaderValue(formatter.value);
  return header === undefined ? undefined : checkHeaderText(header.name);
}

function validateMetrics(
  metrics: NonNullable<Telemetry["spec"]>["metrics"] = [],
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, { overrides = [] }] of metrics.entries()) {
    for (const [index, { tagOverrides = {} }] of overrides.entries()) {
      for (const [name, { operation = "UPSERT", value = "" }] of Object.entries(tagOverrides)) {
        const path = `spec.metrics[${at}].overrides[${index}].tagOverrides[${name}].value`;
        if (operation === "UPSERT" && value === "") {
          issues.push({ path, message: "must be set when operation is UPSERT" });
        } else if (operation === "REMOVE" && value !== "") {
          issues.push({ path, message: "may only be set when operation is UPSERT" });
        }
      }
    }
  }
  return issues;
}
