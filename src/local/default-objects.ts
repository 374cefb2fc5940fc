import type { Deployment } from "../config/deployment.ts";
import type { KubeObject } from "../config/object.ts";
import type { Service } from "../config/service.ts";
import { SIDECAR_CONTAINER } from "./inject-sidecar.ts";

/** The namespace of the mesh's own workloads. */
export const ROOT_NAMESPACE = "istio-system";
/** Name of the gateway's objects. */
export const GATEWAY_NAME = "istio-ingressgateway";
/** The container port that the mesh's HTTP host port leads to. */
export const GATEWAY_HTTP_PORT = 8080;

const GATEWAY_LABELS = { app: GATEWAY_NAME, istio: "ingressgateway" };

/** What a new mesh has in it: namespaces, and the ingress gateway as a pod like any other. */
export function defaultObjects(options: {
  readonly image: string;
  readonly httpPort: number;
}): readonly KubeObject[] {
  return [
    namespace("default", { "istio-injection": "enabled" }),
    namespace("kube-system", {}),
    namespace(ROOT_NAMESPACE, {}),
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: `${GATEWAY_NAME}-service-account`, namespace: ROOT_NAMESPACE },
    },
    gatewayService(),
    gatewayDeployment(options),
  ];
}

/** The gateway's Deployment with another host port. */
export function withHostPort(deployment: Deployment, hostPort: number): Deployment {
  const { template } = deployment.spec;
  const containers = template.spec.containers.map((container) => ({
    ...container,
    ...(container.ports === undefined
      ? {}
      : {
          ports: container.ports.map((port) =>
            port.containerPort === GATEWAY_HTTP_PORT ? { ...port, hostPort } : port,
          ),
        }),
  }));
  return {
    ...deployment,
    spec: {
      ...deployment.spec,
      template: { ...template, spec: { ...template.spec, containers } },
    },
  };
}

function namespace(name: string, labels: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "kubernetes.io/metadata.name": name, ...labels } },
  };
}

function gatewayService(): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: GATEWAY_NAME, namespace: ROOT_NAMESPACE, labels: GATEWAY_LABELS },
    spec: {
      type: "LoadBalancer",
      selector: GATEWAY_LABELS,
      ports: [
        { name: "status-port", port: 15021, targetPort: 15021, protocol: "TCP" },
        { name: "http2", port: 80, targetPort: GATEWAY_HTTP_PORT, protocol: "TCP" },
        { name: "https", port: 443, targetPort: 8443, protocol: "TCP" },
      ],
    },
  };
}

function gatewayDeployment(options: {
  readonly image: string;
  readonly httpPort: number;
}): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: GATEWAY_NAME, namespace: ROOT_NAMESPACE, labels: GATEWAY_LABELS },
    spec: {
      replicas: 1,
      selector: { matchLabels: GATEWAY_LABELS },
      // The host port is there once: a new gateway can only start when the old one has gone.
      strategy: { type: "Recreate" },
      template: {
        metadata: {
          labels: { ...GATEWAY_LABELS, "sidecar.istio.io/inject": "true" },
          annotations: { "inject.istio.io/templates": "gateway" },
        },
        spec: {
          serviceAccountName: `${GATEWAY_NAME}-service-account`,
          restartPolicy: "Always",
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: SIDECAR_CONTAINER,
              image: options.image,
              ports: [
                {
                  name: "http2",
                  containerPort: GATEWAY_HTTP_PORT,
                  hostPort: options.httpPort,
                  hostIP: "127.0.0.1",
                  protocol: "TCP",
                },
                { name: "https", containerPort: 8443, protocol: "TCP" },
                { name: "status-port", containerPort: 15021, protocol: "TCP" },
              ],
            },
          ],
        },
      },
    },
  };
}
