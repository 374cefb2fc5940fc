import { service } from "../model/world.ts";
import { HOSTS, MATCHES } from "./hostile-hosts.ts";
import { POLICIES, SIDECARS } from "./hostile-policies.ts";
import { ROUTES } from "./hostile-rules.ts";
import { ENTRIES, GATEWAYS } from "./hostile-servers.ts";
import type { HostileObjects } from "./hostile-yaml.ts";

/** What every one of them stands beside. */
export const WORLD = [
  service("a", { ip: "10.96.0.1", ports: ["http:80", "tcp:90", "https:443"] }),
  service("b", { ip: "10.96.0.2", ports: ["http:80", "grpc:81"] }),
  service("bare", { ports: ["http:80", "tcp:90"] }),
  `apiVersion: v1
kind: Pod
metadata: { name: a-1, namespace: default, labels: { app: a, version: v1 } }
spec: { containers: [{ name: app, image: app }] }
status: { podIP: 10.0.0.1 }`,
  `apiVersion: v1
kind: Pod
metadata: { name: gateway-1, namespace: istio-system, labels: { app: b, istio: ingressgateway } }
spec: { containers: [{ name: app, image: app }] }
status: { podIP: 10.0.0.8 }`,
  `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: a-1, namespace: default, labels: { kubernetes.io/service-name: a } }
addressType: IPv4
ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }, { name: https, port: 443 }]
endpoints: [{ addresses: [10.0.0.1], conditions: { ready: true } }]`,
].join("\n---\n");

/** Every one of them. */
export const HOSTILE: readonly HostileObjects[] = [
  ...HOSTS,
  ...ROUTES,
  ...MATCHES,
  ...POLICIES,
  ...GATEWAYS,
  ...ENTRIES,
  ...SIDECARS,
];
