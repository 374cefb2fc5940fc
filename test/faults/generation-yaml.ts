/** The header of every answer that says by which routes it was sent. */
export const GENERATION = "x-generation";

/** The service that is asked, as a client names it. */
export const AUTHORITY = "reviews:9080";

/** Routes of everything to one version, which put their number on every answer. */
export function generationYaml(version: string, generation: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - headers: { response: { set: { ${GENERATION}: "${generation}" } } }
    route:
    - destination: { host: reviews, subset: ${version} }
`;
}

/** Services that nobody asks, with two subsets each; the time-out only makes clusters differ. */
export function fillerYaml(count: number, connectTimeoutSeconds = 1): string {
  return Array.from({ length: count }, (_, at) => {
    const name = `filler-${at}`;
    const ip = (last: number): string => `127.0.${1 + (at >> 6)}.${(at % 64) * 2 + last}`;
    return `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  clusterIP: 10.97.${at >> 7}.${1 + (at % 128)}
  selector: { app: ${name} }
  ports: [{ name: http, port: 9080 }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints: [{ addresses: [${ip(1)}] }, { addresses: [${ip(2)}] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${name}
  trafficPolicy: { connectionPool: { tcp: { connectTimeout: ${connectTimeoutSeconds}s } } }
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`;
  }).join("---\n");
}
