/** The objects that both control planes are given. The same number always gives the same text. */

/** Namespace of all clients and of all services but the two of `ELSEWHERE`. */
export const NAMESPACE = "bench";
/** Where the services are that a Sidecar takes in and out of sight. */
const ELSEWHERE = "elsewhere";

const ENDPOINTS = 4;
const PORT = 80;
const TARGET_PORT = 8080;

/** Folders that the files are in: what is written to is alone, as some read a whole folder anew. */
export const FOLDERS = ["base", "endpoint", "virtual-service", "sidecar"] as const;

/** The form in which services and their endpoints are written. */
export const SERVICE_FORMS = ["service-entry", "kubernetes"] as const;
export type ServiceForm = (typeof SERVICE_FORMS)[number];

/** A file, its folder before it, and the text in it. */
export interface ObjectFile {
  readonly name: string;
  readonly text: string;
}

/** What is written again and again while clients watch. */
export const WRITES = ["virtual-service", "endpoint", "sidecar"] as const;
export type WriteKind = (typeof WRITES)[number];

/** Where a client sees that a write has arrived. */
export interface Mark {
  readonly kind: "cluster" | "endpoint" | "route";
  /** In the response, as text. */
  readonly text: string;
  /** Whether it is gone then: state of the world has it no more, delta names it as removed. */
  readonly isGone: boolean;
}

/** Address of an endpoint, which is also that of a client that stands beside it. */
export function endpointAddress(service: number, endpoint: number): string {
  return `10.${16 + endpoint}.${service >> 8}.${service & 0xff}`;
}

/** Everything that stays as it is, of many services a file. */
export function baseFiles(services: number, form: ServiceForm): readonly ObjectFile[] {
  const files: ObjectFile[] = [];
  const perFile = 100;
  // The first service is what is written to.
  for (let from = 1; from < services; from += perFile) {
    const indexes = Array.from(
      { length: Math.min(perFile, services - from) },
      (_, at) => from + at,
    );
    const text = indexes.flatMap((index) => [
      serviceText(form, NAMESPACE, index, endpointAddress(index, 0)),
      rulesText(index),
    ]);
    files.push({ name: `base/services-${from}.yaml`, text: join(text) });
  }
  const elsewhere = [1, 2].map((index) =>
    serviceText(form, ELSEWHERE, services + index, endpointAddress(services + index, 0)),
  );
  return [
    ...files,
    { name: "base/elsewhere.yaml", text: join(elsewhere) },
    {
      name: "base/namespaces.yaml",
      text: join([namespaceText(NAMESPACE), namespaceText(ELSEWHERE)]),
    },
    { name: "base/service-0.yaml", text: join(restOfFirst(form)) },
  ];
}

/** What belongs to the first service and is not written to. */
function restOfFirst(form: ServiceForm): readonly string[] {
  const rule = destinationRuleText(0);
  if (form === "service-entry") return [rule];
  return [rule, kubeServiceText(NAMESPACE, 0), podsText(NAMESPACE, 0, endpointAddress(0, 0))];
}

/** What the files that are written to hold at first. */
export function firstFiles(form: ServiceForm): readonly ObjectFile[] {
  return [
    { name: "endpoint/endpoints.yaml", text: endpointsText(form, endpointAddress(0, 0)) },
    { name: "virtual-service/routes.yaml", text: virtualServiceText(0, "first") },
  ];
}

/** What holds the endpoints of the first service, the first of them at that address. */
function endpointsText(form: ServiceForm, first: string): string {
  return form === "kubernetes"
    ? sliceText(NAMESPACE, 0, first)
    : serviceText(form, NAMESPACE, 0, first);
}

/** The write number `turn` (from 1) of a kind: which file, its new text, and how clients see it. */
export function writeOf(
  kind: WriteKind,
  form: ServiceForm,
  turn: number,
): ObjectFile & { mark: Mark } {
  switch (kind) {
    case "virtual-service": {
      const mark = `turn-${turn}-of-the-bench`;
      return {
        name: "virtual-service/routes.yaml",
        text: virtualServiceText(0, mark),
        mark: { kind: "route", text: mark, isGone: false },
      };
    }
    case "endpoint": {
      const address = `10.99.${turn >> 8}.${turn & 0xff}`;
      return {
        name: "endpoint/endpoints.yaml",
        text: endpointsText(form, address),
        mark: { kind: "endpoint", text: address, isGone: false },
      };
    }
    case "sidecar": {
      // At first all is seen, so the first write takes away.
      const isGone = turn % 2 === 1;
      return {
        name: "sidecar/sidecar.yaml",
        text: sidecarText(isGone ? ["./*"] : ["./*", `${ELSEWHERE}/*`]),
        mark: { kind: "cluster", text: `.${ELSEWHERE}.svc.cluster.local`, isGone },
      };
    }
  }
}

function join(texts: readonly string[]): string {
  return texts.join("---\n");
}

function nameOf(index: number): string {
  return `service-${index}`;
}

function hostOf(namespace: string, index: number): string {
  return `${nameOf(index)}.${namespace}.svc.cluster.local`;
}

function namespaceText(name: string): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`;
}

function serviceText(form: ServiceForm, namespace: string, index: number, first: string): string {
  if (form === "kubernetes") {
    return join([
      kubeServiceText(namespace, index),
      podsText(namespace, index, first),
      sliceText(namespace, index, first),
    ]);
  }
  const endpoints = endpointsOf(index, first).map(
    ({ address, version }) =>
      `  - address: ${address}\n    labels: {app: ${nameOf(index)}, version: ${version}}\n`,
  );
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${nameOf(index)}, namespace: ${namespace}}
spec:
  hosts: [${hostOf(namespace, index)}]
  addresses: [${clusterIp(index)}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - {number: ${PORT}, targetPort: ${TARGET_PORT}, name: http, protocol: HTTP}
  endpoints:
${endpoints.join("")}`;
}

function clusterIp(index: number): string {
  return `10.96.${index >> 8}.${index & 0xff}`;
}

function endpointsOf(
  index: number,
  first: string,
): readonly { address: string; version: string }[] {
  return Array.from({ length: ENDPOINTS }, (_, at) => ({
    address: at === 0 ? first : endpointAddress(index, at),
    version: at % 2 === 0 ? "v1" : "v2",
  }));
}

function kubeServiceText(namespace: string, index: number): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${nameOf(index)}, namespace: ${namespace}}
spec:
  clusterIP: ${clusterIp(index)}
  selector: {app: ${nameOf(index)}}
  ports:
  - {name: http, port: ${PORT}, targetPort: ${TARGET_PORT}}
`;
}

/** The pods behind a slice, which say which version each is. */
function podsText(namespace: string, index: number, first: string): string {
  const pods = endpointsOf(index, first).map(
    ({ address, version }, at) => `apiVersion: v1
kind: Pod
metadata:
  name: ${nameOf(index)}-${at}
  namespace: ${namespace}
  labels: {app: ${nameOf(index)}, version: ${version}}
spec:
  containers: [{name: app, image: app}]
status: {podIP: ${address}}
`,
  );
  return join(pods);
}

function sliceText(namespace: string, index: number, first: string): string {
  const listed = endpointsOf(index, first).map(
    ({ address }, at) => `- addresses: [${address}]
  conditions: {ready: true}
  targetRef: {kind: Pod, name: ${nameOf(index)}-${at}, namespace: ${namespace}}
`,
  );
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${nameOf(index)}-1
  namespace: ${namespace}
  labels: {kubernetes.io/service-name: ${nameOf(index)}}
addressType: IPv4
ports: [{name: http, port: ${TARGET_PORT}}]
endpoints:
${listed.join("")}`;
}

function rulesText(index: number): string {
  return join([destinationRuleText(index), virtualServiceText(index, "first")]);
}

function destinationRuleText(index: number): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${nameOf(index)}, namespace: ${NAMESPACE}}
spec:
  host: ${hostOf(NAMESPACE, index)}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`;
}

function virtualServiceText(index: number, mark: string): string {
  const host = hostOf(NAMESPACE, index);
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${nameOf(index)}, namespace: ${NAMESPACE}}
spec:
  hosts: [${host}]
  http:
  - match:
    - headers: {end-user: {exact: ${mark}}}
    route:
    - destination: {host: ${host}, subset: v2}
  - route:
    - destination: {host: ${host}, subset: v1}
`;
}

function sidecarText(hosts: readonly string[]): string {
  return `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: ${NAMESPACE}}
spec:
  egress:
  - hosts: [${hosts.map((host) => JSON.stringify(host)).join(", ")}]
`;
}
