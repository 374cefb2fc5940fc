import {
  CLIENT,
  EGRESS_GATEWAY,
  egressGatewayIp,
  egressGatewayYaml,
  gatewayIp,
  gatewayYaml,
  type MeshWorld,
  SERVICE_PORT,
  type Workload,
} from "./base-mesh.ts";
import { startEchoApp } from "./echo-app.ts";

interface TutorialService {
  readonly name: string;
  readonly port: number;
  /** Absent: the port has none, and its protocol is found out. */
  readonly portName?: string;
  /** The label `version` of each pod. */
  readonly versions: readonly string[];
}

/** What tutorials route to. `outside` is what is not of the mesh: no Service, only an address. */
const SERVICES: readonly TutorialService[] = [
  { name: "productpage", port: 9080, portName: "http", versions: ["v1"] },
  { name: "reviews", port: 9080, portName: "http", versions: ["v1", "v2", "v3"] },
  { name: "ratings", port: 9080, portName: "http", versions: ["v1"] },
  { name: "service-a", port: 80, portName: "http", versions: ["v1", "v2", "stable"] },
  { name: "my-svc", port: 80, portName: "http", versions: ["v1", "v2", "v2", "v3"] },
  { name: "nginx", port: 80, versions: ["v1"] },
  { name: "kiali", port: 20_001, portName: "http", versions: ["v1"] },
];

const OUTSIDE = "outside";

/** Two pods of one version are told apart by a letter: `my-svc-v2`, `my-svc-v2b`. */
export function tutorialWorkloads(block: number): readonly Workload[] {
  const pods = SERVICES.flatMap(({ name, versions }) =>
    versions.map((version, at) => ({
      name: `${name}-${version}${versions.indexOf(version) < at ? "b" : ""}`,
      app: name,
      version,
    })),
  );
  const client = { name: `${CLIENT}-v1`, app: CLIENT, version: "v1" };
  const outside = { name: `${OUTSIDE}-v1`, app: OUTSIDE, version: "v1" };
  return [...pods, outside, client].map((pod, at) => ({
    ...pod,
    podIp: `127.${block}.0.${at + 10}`,
    appAddress: `127.${block}.128.${at + 10}`,
    // What the cases are about is decided by the client's proxy and the gateways.
    ...(pod.app !== CLIENT && { isNaked: true }),
  }));
}

/** The address of a server that the mesh does not know. */
export function outsideIp(block: number): string {
  return tutorialWorkloads(block).find(({ app }) => app === OUTSIDE)?.podIp ?? "";
}

function serviceYaml(
  { name, port, portName }: TutorialService,
  at: number,
  workloads: readonly Workload[],
): string {
  const named = portName === undefined ? "" : `name: ${portName}, `;
  const endpoints = workloads.map(
    (pod) =>
      `{ addresses: [${pod.podIp}], targetRef: { kind: Pod, name: ${pod.name}, namespace: default } }`,
  );
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default, labels: { app: ${name} } }
spec:
  clusterIP: 10.96.1.${10 + at}
  selector: { app: ${name} }
  ports: [{ ${named}port: ${port}, targetPort: ${SERVICE_PORT} }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: default, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ ${named === "" ? 'name: "", ' : named}port: ${SERVICE_PORT} }]
endpoints: [${endpoints.join(", ")}]
`;
}

function podYaml({ name, app, version, podIp }: Workload): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${app}, version: ${version} } }
spec: { containers: [{ name: app, image: app }] }
status: { phase: Running, podIP: ${podIp} }
`;
}

/** Services that tutorials write rules for, a client, a gateway for each direction. */
export const TUTORIALS: MeshWorld = {
  workloads: tutorialWorkloads,
  config: (block, unready) => {
    const workloads = tutorialWorkloads(block);
    const ofApp = (name: string): readonly Workload[] =>
      workloads.filter(({ app }) => app === name);
    return [
      ...SERVICES.map((service, at) => serviceYaml(service, at, ofApp(service.name))),
      ...workloads.filter(({ app }) => app !== OUTSIDE).map(podYaml),
      gatewayYaml(gatewayIp(block)),
      egressGatewayYaml(egressGatewayIp(block), !unready.includes(EGRESS_GATEWAY)),
    ].join("---");
  },
  startApp: (workload) => startEchoApp(workload, SERVICE_PORT),
  client: CLIENT,
  anyService: { host: "ratings.default.svc.cluster.local", port: SERVICE_PORT },
  hasEgressGateway: true,
};
