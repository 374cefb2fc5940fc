import { validateTelemetry } from "./kind/telemetry-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  duration,
  map,
  noEffect,
  number,
  object,
  required,
  string,
} from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { policySelectorSchema } from "./workload-selector.ts";

const mode = string({
  enum: ["CLIENT_AND_SERVER", "CLIENT", "SERVER"],
  description: "What goes out (and gateways), what comes in, or both.",
});
const providers = array(object({ name: required(string({ minLength: 1 })) }), {
  description: "Names of MeshConfig.extensionProviders.",
});
const some = string({ minLength: 1 });
const isSaid = boolean({ nullable: true });

const customTag = object(
  {
    literal: object({ value: required(some) }),
    environment: object({ name: required(some), defaultValue: string() }),
    header: object({ name: required(some), defaultValue: string() }),
    formatter: object({ value: required(some) }),
  },
  atMostOne("literal", "environment", "header", "formatter"),
);

const tracing = object({
  match: object({ mode }),
  providers,
  randomSamplingPercentage: number({
    minimum: 0,
    maximum: 100,
    nullable: true,
    description: "Of requests that nobody decided about; 1 when nobody says.",
  }),
  disableSpanReporting: isSaid,
  disableContextPropagation: isSaid,
  customTags: map(customTag, { description: "By the name of the tag." }),
  useRequestIdForTraceSampling: isSaid,
  enableIstioTags: isSaid,
});

const accessLogging = object({
  match: object({ mode }),
  providers,
  disabled: isSaid,
  filter: object({ expression: string({ description: "CEL: what is true is logged." }) }),
});

const METRICS = [
  "ALL_METRICS",
  "REQUEST_COUNT",
  "REQUEST_DURATION",
  "REQUEST_SIZE",
  "RESPONSE_SIZE",
  "TCP_OPENED_CONNECTIONS",
  "TCP_CLOSED_CONNECTIONS",
  "TCP_SENT_BYTES",
  "TCP_RECEIVED_BYTES",
  "GRPC_REQUEST_MESSAGES",
  "GRPC_RESPONSE_MESSAGES",
] as const;

const metricOverride = object({
  match: object(
    { metric: string({ enum: METRICS }), customMetric: some, mode },
    atMostOne("metric", "customMetric"),
  ),
  disabled: isSaid,
  tagOverrides: map(object({ operation: string({ enum: ["UPSERT", "REMOVE"] }), value: string() })),
});

const metrics = object({
  providers,
  overrides: array(metricOverride),
  reportingInterval: duration(),
});

const targetRef = object({
  group: string({ maxLength: 253 }),
  kind: required(string({ minLength: 1, maxLength: 63 })),
  name: required(string({ minLength: 1, maxLength: 253 })),
  namespace: string(),
});

const schema = kubeObject(
  {
    spec: object(
      {
        selector: policySelectorSchema,
        targetRef,
        targetRefs: array(targetRef, { maxItems: 16 }),
        tracing: array(tracing),
        metrics: noEffect(array(metrics), "metrics of requests by service are not built yet", [[]]),
        accessLogging: array(accessLogging),
      },
      atMostOne("selector", "targetRef", "targetRefs"),
    ),
    status: istioStatusSchema,
  },
  "Which requests are traced and logged, and who is told.",
);

/** telemetry.istio.io Telemetry. */
export type Telemetry = Infer<typeof schema>;
/** One entry of `spec.tracing`. */
export type TelemetryTracing = Infer<typeof tracing>;
/** One entry of `spec.accessLogging`. */
export type TelemetryAccessLogging = Infer<typeof accessLogging>;
/** One object of the Gateway API that a policy is for. */
export type PolicyTargetReference = Infer<typeof targetRef>;

/** The kind `telemetry.istio.io Telemetry`. */
export const telemetryKind = defineKind<Telemetry>({
  group: "telemetry.istio.io",
  versions: ["v1", "v1alpha1"],
  kind: "Telemetry",
  plural: "telemetries",
  shortNames: ["telemetry"],
  categories: ["istio-io", "telemetry-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN],
  validate: validateTelemetry,
});
