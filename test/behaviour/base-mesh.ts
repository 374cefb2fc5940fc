import { startEchoApp } from "./echo-app.ts";

/** What stands in a mesh before any case says anything. */
export interface MeshWorld {
  readonly workloads: (block: number) => readonly Workload[];
  readonly config: (block: number, unready: readonly string[]) => string;
  /** Returns the way to stop it. */
  readonly startApp: (workload: Workload) => Promise<() => Promise<void>>;
  /** The app that sends. */
  readonly client: string;
  /** A service that answers. */
  readonly anyService: { readonly host: string; readonly port: number };
  /** Whether there is a gateway for traffic that leaves; its Service is the world's to write. */
  readonly hasEgressGateway?: boolean;
}

/** One pod of the mesh that all cases share. */
export interface Workload {
  /** `reviews-v1`; also the pod's name. */
  readonly name: string;
  readonly app: string;
  readonly version: string;
  /** In 127.0.0.0/8. */
  readonly podIp: string;
  readonly appAddress: string;
  /** Without a sidecar: the app listens on the pod's own address. */
  readonly isNaked?: boolean;
  /** An Envoy that stands beside this one, whatever stands beside the others. */
  readonly envoy?: string | undefined;
  /** Beside `app` and `version`. */
  readonly labels?: Readonly<Record<string, string>>;
}

const NAMES = [
  "details-v1",
  "ratings-v1",
  "reviews-v1",
  "reviews-v2",
  "reviews-v3",
  "productpage-v1",
] as const;

/** The port of every service, and of every app. */
export const SERVICE_PORT = 9080;

/** The client's pod, which has no service. */
export const CLIENT = "client";

/** The gateway's pod. */
export const GATEWAY = "istio-ingressgateway";

/** Bookinfo's pods and a client, in the /16 `127.<block>`. */
export function workloadsOf(block: number): readonly Workload[] {
  return [...NAMES, `${CLIENT}-v1`].map((full, at) => {
    const dash = full.lastIndexOf("-");
    return {
      name: full,
      app: full.slice(0, dash),
      version: full.slice(dash + 1),
      podIp: `127.${block}.0.${at + 10}`,
      appAddress: `127.${block}.128.${at + 10}`,
    };
  });
}

/** The gateway's address in that block. */
export function gatewayIp(block: number): string {
  return `127.${block}.0.5`;
}

/** The egress gateway's pod. */
export const EGRESS_GATEWAY = "istio-egressgateway";

/** The egress gateway's address in that block. */
export function egressGatewayIp(block: number): string {
  return `127.${block}.0.6`;
}

/** Where the host leads to the gateway's 8080: a host port, in place of 127.0.0.1. */
export function gatewayHostIp(block: number): string {
  return `127.${block}.0.4`;
}

/** Services, pods and endpoints, as a running mesh has them; the pods that are named are not ready. */
export function baseConfig(block: number, unready: readonly string[] = []): string {
  const workloads = workloadsOf(block);
  const services = new Set(workloads.map(({ app }) => app).filter((app) => app !== CLIENT));
  return [
    ...[...services].map((app, at) =>
      serviceYaml(
        app,
        `10.96.1.${10 + at}`,
        workloads.filter((workload) => workload.app === app),
        unready,
      ),
    ),
    ...workloads.map(podYaml),
    gatewayYaml(gatewayIp(block)),
  ].join("---");
}

function serviceYaml(
  app: string,
  clusterIp: string,
  workloads: readonly Workload[],
  unready: readonly string[],
): string {
  const endpoints = workloads.map(
    ({ name, podIp }) =>
      `  - { addresses: [${podIp}], conditions: { ready: ${!unready.includes(name)} }, targetRef: { kind: Pod, name: ${name}, namespace: default } }`,
  );
  return `
apiVersion: v1
kind: Service
metadata: { name: ${app}, namespace: default, labels: { app: ${app}, service: ${app} } }
spec:
  clusterIP: ${clusterIp}
  selector: { app: ${app} }
  ports: [{ name: http, port: ${SERVICE_PORT} }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${app}-1
  namespace: default
  labels: { kubernetes.io/service-name: ${app} }
addressType: IPv4
ports: [{ name: http, port: ${SERVICE_PORT} }]
endpoints:
${endpoints.join("\n")}
`;
}

function podYaml({ name, app, version, podIp }: Workload): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${app}, version: ${version} } }
spec:
  serviceAccountName: bookinfo-${app}
  containers: [{ name: ${app}, image: ${app}, ports: [{ containerPort: ${SERVICE_PORT} }] }]
status: { phase: Running, podIP: ${podIp} }
`;
}

/** The ingress gateway: its Service, pod and endpoints. */
export function gatewayYaml(podIp: string): string {
  return oneGatewayYaml(GATEWAY, "10.96.1.5", podIp);
}

/** The egress gateway: its Service, pod and endpoints. */
export function egressGatewayYaml(podIp: string, isReady: boolean): string {
  return oneGatewayYaml(EGRESS_GATEWAY, "10.96.1.6", podIp, isReady);
}

/** The label `istio` of a gateway's pod: `istio-ingressgateway` is `ingressgateway`. */
export function gatewayLabel(name: string): string {
  return name.replace("istio-", "");
}

function oneGatewayYaml(name: string, clusterIp: string, podIp: string, isReady = true): string {
  const labels = `{ app: ${name}, istio: ${gatewayLabel(name)} }`;
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: istio-system, labels: ${labels} }
spec:
  type: ${name === GATEWAY ? "LoadBalancer" : "ClusterIP"}
  clusterIP: ${clusterIp}
  selector: ${labels}
  ports:
    - { name: status-port, port: 15021, targetPort: 15021 }
    - { name: http2, port: 80, targetPort: 8080 }
    - { name: https, port: 443, targetPort: 8443 }
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: istio-system, labels: ${labels} }
spec:
  containers: [{ name: istio-proxy, image: auto }]
status: { phase: Running, podIP: ${podIp} }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-1
  namespace: istio-system
  labels: { kubernetes.io/service-name: ${name} }
addressType: IPv4
ports:
  - { name: status-port, port: 15021 }
  - { name: http2, port: 8080 }
  - { name: https, port: 8443 }
endpoints:
  - { addresses: [${podIp}], conditions: { ready: ${isReady} }, targetRef: { kind: Pod, name: ${name}, namespace: istio-system } }
`;
}

/** Bookinfo, a client and a gateway. */
export const BOOKINFO: MeshWorld = {
  workloads: workloadsOf,
  config: baseConfig,
  startApp: (workload) => startEchoApp(workload, SERVICE_PORT),
  client: CLIENT,
  anyService: { host: "details.default.svc.cluster.local", port: SERVICE_PORT },
};
