/** What enters the mesh and what leaves it, as tutorials set it up. */
import { EGRESS_GATEWAY as EGRESS_GATEWAY_POD } from "./base-mesh.ts";
import type { TutorialCase } from "./tutorial-case.ts";
import { outsideIp } from "./tutorial-world.ts";

const REGISTRY_ONLY = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    outboundTrafficPolicy:
      mode: REGISTRY_ONLY
`;

/** As tutorials write it, but for the address: tests look nothing up. */
function externalHttp(block: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: external-http
spec:
  hosts:
  - example.com
  ports:
  - number: 80
    name: http
    protocol: HTTP
  resolution: DNS
  endpoints:
  - address: ${outsideIp(block)}
    ports: { http: 9080 }
`;
}

const EGRESS_GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: istio-egressgateway
spec:
  selector:
    istio: egressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - example.com
`;

const VIA_EGRESS = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: route-via-egress
spec:
  hosts:
  - example.com
  gateways:
  - mesh
  - istio-egressgateway
  http:
  - match:
    - gateways:
      - mesh
      port: 80
    route:
    - destination:
        host: istio-egressgateway.istio-system.svc.cluster.local
        port:
          number: 80
  - match:
    - gateways:
      - istio-egressgateway
      port: 80
    route:
    - destination:
        host: example.com
        port:
          number: 80
`;

const LEAVING: readonly TutorialCase[] = [
  {
    name: "hosts that nobody registered are refused",
    config: REGISTRY_ONLY,
    exchanges: [
      { request: "GET http://example.com/", expect: { status: 502 } },
      { request: "GET http://ratings:9080/", expect: { status: 200 } },
    ],
  },
  {
    name: "a ServiceEntry opens one host, without a gateway",
    config: (block) => `${REGISTRY_ONLY}---${externalHttp(block)}`,
    exchanges: [
      {
        request: "GET http://example.com/a",
        expect: {
          status: 200,
          by: "outside-v1",
          sawPath: "/a",
          sawHeaders: { host: "example.com", "x-envoy-external-address": null },
        },
      },
      { request: "GET http://www.example.com/", expect: { status: 502 } },
    ],
  },
  {
    name: "requests that leave go by the egress gateway",
    config: (block) => [REGISTRY_ONLY, externalHttp(block), EGRESS_GATEWAY, VIA_EGRESS].join("---"),
    exchanges: [
      {
        request: "GET http://example.com/b",
        expect: {
          status: 200,
          by: "outside-v1",
          // Only gateways say who came.
          sawHeaders: { host: "example.com", "x-envoy-external-address": "127.0.0.1" },
        },
      },
    ],
  },
  {
    name: "nothing leaves when the egress gateway is gone",
    config: (block) => [REGISTRY_ONLY, externalHttp(block), EGRESS_GATEWAY, VIA_EGRESS].join("---"),
    unready: [EGRESS_GATEWAY_POD],
    exchanges: [{ request: "GET http://example.com/c", expect: { status: 503 } }],
  },
  {
    name: "an egress gateway without its Gateway lets nothing out",
    config: (block) => [REGISTRY_ONLY, externalHttp(block), VIA_EGRESS].join("---"),
    exchanges: [{ request: "GET http://example.com/c", expect: { status: 404 } }],
  },
  {
    name: "an egress gateway takes the hosts that it names",
    config: (block) =>
      [
        REGISTRY_ONLY,
        externalHttp(block),
        EGRESS_GATEWAY.replace("- example.com", "- example.org"),
        VIA_EGRESS,
      ].join("---"),
    exchanges: [{ request: "GET http://example.com/d", expect: { status: 404 } }],
  },
  {
    name: "rules, policies and faults apply to hosts outside as to services",
    config: (block) => `${externalHttp(block)}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ext-res-dr
spec:
  host: example.com
  trafficPolicy:
    connectionPool:
      tcp:
        connectTimeout: 1s
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: external-http
spec:
  hosts: [example.com]
  http:
  - match: [{ uri: { prefix: /abort } }]
    fault: { abort: { percentage: { value: 100 }, httpStatus: 555 } }
    route: [{ destination: { host: example.com } }]
  - match: [{ uri: { prefix: /again } }]
    retries: { attempts: 2, retryOn: 5xx }
    route: [{ destination: { host: example.com } }]
  - timeout: 150ms
    route: [{ destination: { host: example.com } }]
`,
    exchanges: [
      { request: "GET http://example.com/abort", expect: { status: 555, tries: 0 } },
      {
        request: "GET http://example.com/again",
        headers: { "x-answer-status": "503" },
        expect: { status: 503, tries: 3 },
      },
      {
        request: "GET http://example.com/slow",
        headers: { "x-answer-after-ms": "1000" },
        expect: { status: 504, takesMs: [140, 600] },
      },
      { request: "GET http://example.com/", expect: { status: 200, by: "outside-v1" } },
    ],
  },
  {
    name: "a machine outside of the cluster is made a part of a service",
    config: (block) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: machines
spec:
  hosts: [machines.example.com]
  location: MESH_INTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 9080 }]
  resolution: STATIC
  workloadSelector: { labels: { app: machine } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: machine-1 }
spec: { address: ${outsideIp(block)}, labels: { app: machine } }
`,
    exchanges: [
      {
        request: "GET http://machines.example.com/",
        expect: { status: 200, by: "outside-v1", sawHeaders: { host: "machines.example.com" } },
      },
    ],
  },
];

function nginx(destination: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: nginx-gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - "nginx.servicemesh.com"
    - "*.servicemesh.org"
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: nginx
spec:
  hosts:
  - "nginx.servicemesh.com"
  - "*.servicemesh.org"
  gateways:
  - nginx-gateway
  http:
  - match:
    - uri:
        prefix: /index.html
    route:
    - destination:
        host: ${destination}
        port:
          number: 80
`;
}

const ENTERING: readonly TutorialCase[] = [
  {
    name: "a gateway's hosts, one of them a wildcard, and a port without a name behind it",
    config: nginx("nginx"),
    exchanges: [
      ...["nginx.servicemesh.com", "a.servicemesh.org", "a.b.servicemesh.org"].flatMap((host) => [
        {
          from: "gateway" as const,
          request: `GET http://${host}/index.html`,
          expect: { status: 200, by: "nginx-v1" },
        },
        { from: "gateway" as const, request: `GET http://${host}/`, expect: { status: 404 } },
      ]),
      ...["servicemesh.org", "servicemesh.com", "a.servicemesh.com"].map((host) => ({
        from: "gateway" as const,
        request: `GET http://${host}/index.html`,
        expect: { status: 404 },
      })),
      // Inside, the protocol of the port is found out.
      { request: "GET http://nginx/any", expect: { status: 200, by: "nginx-v1" } },
    ],
  },
  {
    name: "a gateway listens before there is anything behind it",
    config: nginx("not-there-yet"),
    exchanges: [
      {
        from: "gateway",
        request: "GET http://nginx.servicemesh.com/index.html",
        expect: { status: 503 },
      },
      { from: "gateway", request: "GET http://nginx.servicemesh.com/", expect: { status: 404 } },
      {
        from: "gateway",
        request: "GET http://other.example.com/index.html",
        expect: { status: 404 },
      },
    ],
  },
  {
    name: "a service without a sidecar behind a gateway, by plain text",
    config: `
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: kiali-gateway
  namespace: default
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http-kiali
      protocol: HTTP
    hosts:
    - "kiali.127.0.0.1.nip.io"
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: kiali-vs
  namespace: default
spec:
  hosts:
  - "kiali.127.0.0.1.nip.io"
  gateways:
  - kiali-gateway
  http:
  - route:
    - destination:
        host: kiali
        port:
          number: 20001
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: kiali
  namespace: default
spec:
  host: kiali
  trafficPolicy:
    tls:
      mode: DISABLE
`,
    exchanges: [
      {
        from: "gateway",
        request: "GET http://kiali.127.0.0.1.nip.io:8080/kiali/",
        expect: { status: 200, by: "kiali-v1", sawPath: "/kiali/" },
      },
      { from: "gateway", request: "GET http://nip.io/kiali/", expect: { status: 404 } },
    ],
  },
  {
    name: "one VirtualService for two gateways, each with its host",
    config: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: first }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [first.example.com] }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: second }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http-2, protocol: HTTP }, hosts: [second.example.com] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: both }
spec:
  hosts: [first.example.com, second.example.com, third.example.com]
  gateways: [first, second]
  http: [{ route: [{ destination: { host: ratings, port: { number: 9080 } } }] }]
`,
    exchanges: [
      ...["first", "second"].map((name) => ({
        from: "gateway" as const,
        request: `GET http://${name}.example.com/`,
        expect: { status: 200, by: "ratings-v1" },
      })),
      { from: "gateway", request: "GET http://third.example.com/", expect: { status: 404 } },
      // A VirtualService for gateways is none for the mesh.
      { request: "GET http://first.example.com/", expect: { status: 502 } },
    ],
  },
];

/** Everything about the mesh's edge. */
export const TUTORIAL_EDGE_CASES: readonly TutorialCase[] = [...LEAVING, ...ENTERING];
