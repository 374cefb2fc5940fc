import {
  type ChurnState,
  HOSTS,
  type Host,
  type Rule,
  type Subsets,
  VERSIONS,
} from "./churn-state.ts";

/** The port of every service, and of every app. */
export const SERVICE_PORT = 9080;

/** Where a version of a host's app runs, in a /24 of 127.0.0.0/8. */
export function podIp(subnet: string, host: Host, version: string): string {
  return `${subnet}.${100 + HOSTS.indexOf(host) * 10 + (version === "v1" ? 1 : 2)}`;
}

/** The objects of a state as YAML, by a name for each that lasts as long as the object. */
export function objectsOf(state: ChurnState, subnet: string): ReadonlyMap<string, string> {
  const objects = new Map<string, string>();
  for (const host of HOSTS) {
    const { hasService, ready, subsets, rules } = state[host];
    for (const version of VERSIONS) {
      objects.set(`Pod ${host}-${version}`, podYaml(host, version, podIp(subnet, host, version)));
    }
    if (hasService) objects.set(`Service ${host}`, serviceYaml(host));
    const endpoints = ready.map((version) => [version, podIp(subnet, host, version)] as const);
    objects.set(`EndpointSlice ${host}`, sliceYaml(host, endpoints));
    if (subsets !== undefined) objects.set(`DestinationRule ${host}`, subsetsYaml(host, subsets));
    if (rules !== undefined) objects.set(`VirtualService ${host}`, rulesYaml(host, rules));
  }
  return objects;
}

function serviceYaml(host: Host): string {
  return `apiVersion: v1
kind: Service
metadata: { name: ${host} }
spec:
  clusterIP: 10.96.7.${10 + HOSTS.indexOf(host)}
  selector: { app: ${host} }
  ports: [{ name: http, port: ${SERVICE_PORT} }]
`;
}

function podYaml(host: Host, version: string, ip: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${host}-${version}, labels: { app: ${host}, version: ${version} } }
spec: { containers: [{ name: ${host}, image: ${host} }] }
status: { phase: Running, podIP: ${ip} }
`;
}

function sliceYaml(host: Host, endpoints: readonly (readonly [string, string])[]): string {
  const lines = endpoints.map(
    ([version, ip]) =>
      `  - { addresses: [${ip}], conditions: { ready: true }, targetRef: { kind: Pod, name: ${host}-${version}, namespace: default } }`,
  );
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${host}-1, labels: { kubernetes.io/service-name: ${host} } }
addressType: IPv4
ports: [{ name: http, port: ${SERVICE_PORT} }]
endpoints:${lines.length === 0 ? " []" : `\n${lines.join("\n")}`}
`;
}

function subsetsYaml(host: Host, { versions, connectTimeoutSeconds }: Subsets): string {
  const lines = Object.entries(versions).map(
    ([name, version]) => `  - { name: ${name}, labels: { version: ${version} } }`,
  );
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host} }
spec:
  host: ${host}
  trafficPolicy: { connectionPool: { tcp: { connectTimeout: ${connectTimeoutSeconds}s } } }
${lines.length === 0 ? "" : `  subsets:\n${lines.join("\n")}\n`}`;
}

function rulesYaml(host: Host, rules: readonly Rule[]): string {
  const lines = rules.map(({ prefix, targets }) => {
    const match = prefix === undefined ? "" : `match: [{ uri: { prefix: ${prefix} } }], `;
    const weight = 100 / targets.length;
    const route = targets.map(({ host: to, subset }) => {
      const named = subset === undefined ? "" : `, subset: ${subset}`;
      return `{ destination: { host: ${to}${named} }, weight: ${weight} }`;
    });
    return `  - { ${match}route: [${route.join(", ")}] }`;
  });
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec:
  hosts: [${host}]
  http:
${lines.join("\n")}
`;
}
