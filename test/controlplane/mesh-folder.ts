import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A service `reviews` with the versions v1 and v2, at addresses in 127.0.0.0/8. */
export interface MeshAddresses {
  readonly v1: string;
  readonly v2: string;
  /** Where both listen. */
  readonly port: number;
}

/** A folder of YAML for the control plane, removed by its owner. */
export class MeshFolder {
  readonly path = mkdtempSync(join(tmpdir(), "weft-mesh-"));
  /** `--home` of the control plane. */
  readonly home = mkdtempSync(join(tmpdir(), "weft-home-"));

  constructor(addresses: MeshAddresses) {
    this.write("app.yaml", appYaml(addresses));
    this.route("v1");
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** Sends everything to one version. */
  route(version: string): void {
    this.write("routes.yaml", routeYaml(version));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** The VirtualService alone; `field` stands in for `route`, to be wrong. */
export function routeYaml(version: string, field = "route"): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - ${field}:
    - destination: {host: reviews, subset: ${version}}
`;
}

/** Everything but the VirtualService. */
export function appYaml({ v1, v2, port }: MeshAddresses): string {
  const pod = (version: string, ip: string): string => `apiVersion: v1
kind: Pod
metadata:
  name: reviews-${version}
  labels: {app: reviews, version: ${version}}
spec:
  containers: [{name: reviews, image: reviews}]
status: {podIP: ${ip}}
---
`;
  return `apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080, targetPort: ${port}}]
---
${pod("v1", v1)}${pod("v2", v2)}apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: reviews-1
  labels: {kubernetes.io/service-name: reviews}
addressType: IPv4
ports: [{name: http, port: ${port}}]
endpoints:
- addresses: [${v1}]
  targetRef: {kind: Pod, name: reviews-v1, namespace: default}
- addresses: [${v2}]
  targetRef: {kind: Pod, name: reviews-v2, namespace: default}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`;
}
