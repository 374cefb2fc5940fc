import { formatIssue } from "../../src/base/issue.ts";
import { decodeYaml, errorsOf, formatProblem } from "../../src/config/yaml.ts";
import { buildMesh, type Mesh } from "../../src/model/mesh.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { decodeProxyNode } from "../../src/model/proxy-node.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import type { ViewPart } from "../../src/model/view-part.ts";
import { viewOf } from "../../src/store/config-store.ts";

/** The mesh of some YAML, all of which must be right; later objects are younger. */
export function meshOf(...yaml: readonly string[]): Mesh {
  const { objects, problems } = decodeYaml(yaml.join("\n---\n"), "world.yaml");
  const errors = errorsOf(problems);
  if (errors.length > 0) throw new Error(errors.map(formatProblem).join("\n"));
  return buildMesh(
    viewOf(
      objects.map(({ object }, index) => ({
        ...object,
        metadata: {
          ...object.metadata,
          namespace: object.metadata.namespace ?? "default",
          creationTimestamp:
            object.metadata.creationTimestamp ?? new Date(index * 1000).toISOString(),
        },
      })),
    ),
  );
}

/** A sidecar as it introduces itself; captured unless it says otherwise. */
export function sidecar({
  namespace = "default",
  labels = {},
  ips = ["10.0.0.9"],
  metadata = {},
  type = "sidecar",
}: {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ips?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly type?: "sidecar" | "router";
} = {}): ProxyNode {
  const node = decodeProxyNode({
    id: `${type}~${ips[0]}~client-1.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, LABELS: labels, INSTANCE_IPS: ips.join(","), ...metadata },
  });
  if (!node.ok) throw new Error(node.issues.map(formatIssue).join("\n"));
  return node.value;
}

/** A Kubernetes Service; ports as `name:number`. */
export function service(
  name: string,
  { namespace = "default", ip = "None", ports = ["http:80"] }: ServiceOptions = {},
): string {
  const list = ports.map((port) => {
    const [portName, number] = port.split(":");
    return `{ name: ${portName}, port: ${number} }`;
  });
  return `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { clusterIP: "${ip}", selector: { app: ${name} }, ports: [${list.join(", ")}] }`;
}

interface ServiceOptions {
  readonly namespace?: string;
  readonly ip?: string;
  readonly ports?: readonly string[];
}

/** Any of Istio's networking objects; `spec` is YAML on one line. */
export function istio(kind: string, name: string, spec: string): string {
  const [own = "", namespace = "default"] = name.split(".");
  return `apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: { name: ${own}, namespace: ${namespace} }
spec: ${spec}`;
}

/** What a sidecar does with what its app sends out, whoever else has it too. */
export function outboundOf(mesh: Mesh, proxy: ProxyNode): ViewPart {
  const { own, shared, issues } = buildProxyView(mesh, proxy);
  return {
    listeners: [...shared.listeners, ...own.listeners].filter(
      ({ direction }) => direction === "outbound",
    ),
    routes: own.routes.length === 0 ? shared.routes : [...shared.routes, ...own.routes],
    clusters: own.clusters.filter(({ direction }) => direction === "outbound"),
    issues,
  };
}
