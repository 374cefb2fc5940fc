import { isIPv4, isIPv6 } from "node:net";
import type { Issue } from "../base/issue.ts";
import { conditionsSchema } from "./condition.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject, validateLabels } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  boolean,
  integer,
  intOrString,
  listMap,
  map,
  noEffect,
  object,
  port,
  required,
  string,
} from "./schema.ts";

const servicePort = object({
  name: string({ format: "k8s-short-name" }),
  port: required(port({ description: "Where clients of the service connect to." })),
  targetPort: intOrString({ description: "Where its pods listen, or the name of their port." }),
  protocol: noEffect(
    string({ enum: ["TCP", "UDP", "SCTP"], default: "TCP" }),
    "the mesh carries TCP only",
    ["TCP"],
  ),
  appProtocol: string({ description: "http, http2, https, grpc, tcp, ...; wins over the name." }),
  nodePort: port(),
});

const schema = kubeObject(
  {
    spec: required(
      object({
        type: string({
          enum: ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
          default: "ClusterIP",
        }),
        selector: map(string(), { description: "Labels of the pods that serve it." }),
        ports: listMap(["port", "protocol"], servicePort),
        clusterIP: string({ description: '"None" for a service without an address of its own.' }),
        clusterIPs: array(string()),
        externalName: string(),
        externalIPs: noEffect(array(string()), "the mesh does not announce addresses"),
        sessionAffinity: noEffect(
          string({ enum: ["None", "ClientIP"], default: "None" }),
          "proxies choose endpoints: a DestinationRule with consistentHash keeps clients to one",
          ["None"],
        ),
        sessionAffinityConfig: noEffect(
          object({ clientIP: object({ timeoutSeconds: integer() }) }),
          "see spec.sessionAffinity",
        ),
        publishNotReadyAddresses: boolean(),
        internalTrafficPolicy: string({ enum: ["Cluster", "Local"] }),
        externalTrafficPolicy: noEffect(
          string({ enum: ["Cluster", "Local"] }),
          "there is one node",
        ),
        ipFamilies: array(string({ enum: ["IPv4", "IPv6"] })),
        ipFamilyPolicy: string({ enum: ["SingleStack", "PreferDualStack", "RequireDualStack"] }),
        loadBalancerIP: noEffect(string(), "there is no load balancer"),
        loadBalancerClass: noEffect(string(), "there is no load balancer"),
        loadBalancerSourceRanges: noEffect(array(string()), "there is no load balancer"),
        allocateLoadBalancerNodePorts: noEffect(boolean(), "no node ports are opened"),
        healthCheckNodePort: noEffect(integer(), "no node ports are opened"),
        trafficDistribution: string({
          enum: ["PreferClose", "PreferSameZone", "PreferSameNode"],
          description: "Which endpoints come first.",
        }),
      }),
    ),
    status: object({
      loadBalancer: object({
        ingress: array(
          object({
            ip: string(),
            hostname: string(),
            ipMode: string(),
            ports: array(
              object({ port: required(port()), protocol: required(string()), error: string() }),
            ),
          }),
        ),
      }),
      conditions: conditionsSchema,
    }),
  },
  "A name and an address for a set of pods.",
);

/** core/v1 Service. */
export type Service = Infer<typeof schema>;
/** One port of a service. */
export type ServicePort = Infer<typeof servicePort>;

/** The kind `v1 Service`. */
export const serviceKind = defineKind<Service>({
  group: "",
  versions: ["v1"],
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  nameFormat: "k8s-short-name",
  schema,
  printerColumns: [
    { name: "Type", type: "string", cell: ({ spec }) => spec.type ?? "ClusterIP" },
    { name: "Cluster-IP", type: "string", cell: ({ spec }) => spec.clusterIP ?? "<none>" },
    { name: "External-IP", type: "string", cell: formatExternal },
    { name: "Port(s)", type: "string", cell: formatPorts },
    AGE_COLUMN,
    { name: "Selector", type: "string", priority: 1, cell: formatSelector },
  ],
  validate: validateService,
  validateUpdate: ({ spec }, { spec: old }) => {
    const before = old.clusterIP ?? "";
    if (before === "" || spec.clusterIP === before || spec.type === "ExternalName") return [];
    return [{ path: "spec.clusterIP", message: `may not be changed: it is "${before}"` }];
  },
  carryOver: (service, { spec: old }) => {
    const { clusterIP, type } = service.spec;
    if ((clusterIP ?? "") !== "" || type === "ExternalName") return service;
    const kept = {
      ...(old.clusterIP === undefined ? {} : { clusterIP: old.clusterIP }),
      ...(old.clusterIPs === undefined ? {} : { clusterIPs: old.clusterIPs }),
    };
    return { ...service, spec: { ...service.spec, ...kept } };
  },
  defaults: (service) => {
    const { ports } = service.spec;
    if (ports === undefined || service.spec.type === "ExternalName") return service;
    const filled = ports.map((one) => ({ ...one, targetPort: one.targetPort ?? one.port }));
    return { ...service, spec: { ...service.spec, ports: filled } };
  },
});

function validateService({ spec }: Service): readonly Issue[] {
  const issues = [...validateLabels("spec.selector", spec.selector)];
  const isHeadless = spec.clusterIP === "None";
  const ports = spec.ports ?? [];
  if (spec.type === "ExternalName") {
    if ((spec.externalName ?? "") === "") {
      issues.push({ path: "spec.externalName", message: "is required for type ExternalName" });
    }
    if ((spec.clusterIP ?? "") !== "") {
      issues.push({ path: "spec.clusterIP", message: "may not be set for type ExternalName" });
    }
  } else if (ports.length === 0 && !isHeadless) {
    issues.push({ path: "spec.ports", message: "is required" });
  }
  const { clusterIP = "" } = spec;
  if (clusterIP !== "" && !isHeadless && !isIPv4(clusterIP) && !isIPv6(clusterIP)) {
    issues.push({
      path: "spec.clusterIP",
      message: `must be "None" or an IP address: got "${clusterIP}"`,
    });
  }
  if (spec.type === "LoadBalancer" && isHeadless) {
    issues.push({ path: "spec.clusterIP", message: 'may not be "None" for type LoadBalancer' });
  }
  return [...issues, ...validatePorts(ports)];
}

function validatePorts(ports: readonly ServicePort[]): readonly Issue[] {
  const issues: Issue[] = [];
  const names = new Set<string>();
  for (const [at, { name, targetPort }] of ports.entries()) {
    const path = `spec.ports[${at}]`;
    if (name === undefined) {
      if (ports.length > 1) {
        issues.push({ path: `${path}.name`, message: "is required where there are several ports" });
      }
    } else if (names.has(name)) {
      issues.push({ path: `${path}.name`, message: `duplicate of "${name}"` });
    } else {
      names.add(name);
    }
    if (targetPort !== undefined && !isPort(targetPort)) {
      issues.push({
        path: `${path}.targetPort`,
        message: `must be a port number or the name of a container's port: got ${JSON.stringify(targetPort)}`,
      });
    }
  }
  return issues;
}

function isPort(value: number | string): boolean {
  if (typeof value === "number") return value >= 1 && value <= 65_535;
  return /^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/.test(value) && /[a-z]/.test(value);
}

function formatExternal({ spec, status }: Service): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "<none>";
  if (spec.type !== "LoadBalancer") return "<none>";
  const ingress = status?.loadBalancer?.ingress ?? [];
  const texts = ingress.map(({ ip, hostname }) => ip ?? hostname ?? "");
  return texts.length === 0 ? "<pending>" : texts.join(",");
}

function formatPorts({ spec }: Service): string {
  const texts = (spec.ports ?? []).map(({ port: number, nodePort, protocol = "TCP" }) =>
    nodePort === undefined ? `${number}/${protocol}` : `${number}:${nodePort}/${protocol}`,
  );
  return texts.length === 0 ? "<none>" : texts.join(",");
}

function formatSelector({ spec }: Service): string {
  const texts = Object.entries(spec.selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? "<none>" : texts.join(",");
}
