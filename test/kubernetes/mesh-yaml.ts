/** Where the versions v1 and v2 of the service `reviews.mesh` answer: in 127.0.0.0/8. */
export interface ReviewsAddresses {
  readonly v1: string;
  readonly v2: string;
  readonly port: number;
}

/**
 * A service that no Pod is behind: Kubernetes refuses endpoints on loopback, Istio's ServiceEntry
 * does not. Its subsets are v1 and v2.
 */
export function reviewsYaml(namespace: string, { v1, v2, port }: ReviewsAddresses): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews, namespace: ${namespace}}
spec:
  hosts: [reviews.mesh]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 9080, name: http, protocol: HTTP}]
  endpoints:
  - {address: ${v1}, ports: {http: ${port}}, labels: {version: v1}}
  - {address: ${v2}, ports: {http: ${port}}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: ${namespace}}
spec:
  host: reviews.mesh
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`;
}

/** Sends everything for `reviews.mesh` to one version. */
export function reviewsRoute(namespace: string, version: string, name = "reviews"): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: [reviews.mesh]
  http:
  - route:
    - destination: {host: reviews.mesh, subset: ${version}}
`;
}

/** Services of Kubernetes' own kind with slices that name other machines, and rules for them. */
export function shopYaml(namespace: string): string {
  const parts = ["cart", "ledger"].map(
    (name, index) => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}
spec:
  ports: [{name: http, port: 8080, targetPort: 80}, {name: tcp-raw, port: 9000}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-1
  namespace: ${namespace}
  labels: {kubernetes.io/service-name: ${name}}
addressType: IPv4
ports: [{name: http, port: 80}, {name: tcp-raw, port: 9000}]
endpoints:
- {addresses: [192.0.2.${10 + index}], conditions: {ready: true}, zone: a}
- {addresses: [192.0.2.${20 + index}], conditions: {ready: true}, zone: b}
- {addresses: [192.0.2.${30 + index}], conditions: {ready: false}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  host: ${name}
  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, connectionPool: {http: {http2MaxRequests: 50}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  hosts: [${name}]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - route: [{destination: {host: ${name}}}]
    timeout: 3s
`,
  );
  return parts.join("---\n");
}
