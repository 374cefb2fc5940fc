/** An API whose parts have rules of their own, in the mesh and at a gateway. */
import type { TutorialCase } from "./tutorial-case.ts";

const VERSIONS_OF_SERVICE_A = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: service-a
spec:
  host: service-a
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
  - name: default
    labels:
      version: stable
`;

const MY_GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: my-gateway
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: 80
      name: http
      protocol: HTTP
    hosts:
    - api.example.com
    - service-a.example.com
`;

const SERVICE_A_IN_THE_MESH = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a
spec:
  hosts:
  - service-a.default.svc.cluster.local
  - service-a
  http:
  - match:
    - uri:
        prefix: /api/v1
    route:
    - destination:
        host: service-a
        subset: v1
    timeout: 400ms
    retries:
      attempts: 3
      perTryTimeout: 200ms
  - match:
    - uri:
        prefix: /api/v2
    route:
    - destination:
        host: service-a
        subset: v2
  - match:
    - uri:
        prefix: /internal/
    corsPolicy:
      allowOrigins:
      - exact: "*"
    route:
    - destination:
        host: service-a
        subset: v1
  - route:
    - destination:
        host: service-a
        subset: default
`;

const SERVICE_A_AT_THE_GATEWAY = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a-gateway
spec:
  hosts:
  - api.example.com
  - service-a.example.com
  gateways:
  - my-gateway
  http:
  - match:
    - uri:
        prefix: /api/v1/public
    headers:
      response:
        set:
          Strict-Transport-Security: max-age=31536000
    route:
    - destination:
        host: service-a
        port:
          number: 80
  - match:
    - uri:
        prefix: /api/v2/approved
    route:
    - destination:
        host: service-a
        port:
          number: 80
  - match:
    - uri:
        prefix: /status
    route:
    - destination:
        host: service-a
        port:
          number: 80
  - match:
    - uri:
        prefix: /
    fault:
      abort:
        percentage:
          value: 100
        httpStatus: 403
    headers:
      response:
        set:
          x-blocked-by: gateway-policy
    route:
    - destination:
        host: service-a
        port:
          number: 80
`;

/** A service's API, part of it open to the world. */
export const TUTORIAL_API_CASES: readonly TutorialCase[] = [
  {
    name: "rules by path of one service, each with its version and its policies",
    config: `${VERSIONS_OF_SERVICE_A}---${SERVICE_A_IN_THE_MESH}`,
    exchanges: [
      {
        request: "GET http://service-a/api/v1/orders",
        expect: { status: 200, by: "service-a-v1" },
      },
      {
        request: "GET http://service-a.default.svc.cluster.local/api/v2",
        expect: { status: 200, by: "service-a-v2" },
      },
      { request: "GET http://service-a/else", expect: { status: 200, by: "service-a-stable" } },
      {
        request: "GET http://service-a/internal/x",
        headers: { origin: "http://any.example.com" },
        expect: {
          status: 200,
          by: "service-a-v1",
          gotHeaders: { "access-control-allow-origin": "http://any.example.com" },
        },
      },
      {
        request: "GET http://service-a/else",
        headers: { origin: "http://any.example.com" },
        expect: { status: 200, gotHeaders: { "access-control-allow-origin": null } },
      },
      // A try that takes too long is not tried again unless `retryOn` says so.
      {
        request: "GET http://service-a/api/v1/slow",
        headers: { "x-answer-after-ms": "1000" },
        expect: { status: 504, takesMs: [190, 390], tries: 1 },
      },
      {
        request: "GET http://service-a/api/v2/slow",
        headers: { "x-answer-after-ms": "450" },
        expect: { status: 200, takesMs: [440, 2000] },
      },
    ],
  },
  {
    name: "rules of a service without their DestinationRule are 503",
    config: SERVICE_A_IN_THE_MESH,
    exchanges: [
      { request: "GET http://service-a/api/v1/orders", expect: { status: 503 } },
      { request: "GET http://service-a/", expect: { status: 503 } },
    ],
  },
  {
    name: "a gateway opens a part of an API, and answers the rest by itself",
    config: [
      VERSIONS_OF_SERVICE_A,
      MY_GATEWAY,
      SERVICE_A_IN_THE_MESH,
      SERVICE_A_AT_THE_GATEWAY,
    ].join("---"),
    exchanges: [
      {
        from: "gateway",
        request: "GET http://api.example.com/api/v1/public/a",
        expect: {
          status: 200,
          gotHeaders: { "strict-transport-security": "max-age=31536000", "x-blocked-by": null },
        },
      },
      {
        from: "gateway",
        request: "GET http://service-a.example.com/api/v2/approved/a",
        expect: { status: 200, gotHeaders: { "strict-transport-security": null } },
      },
      {
        from: "gateway",
        request: "GET http://service-a.example.com/status",
        expect: { status: 200 },
      },
      ...["/", "/api/v1/private", "/api/v2", "/internal/x"].map((path) => ({
        from: "gateway" as const,
        request: `GET http://api.example.com${path}`,
        expect: { status: 403, gotHeaders: { "x-blocked-by": "gateway-policy" }, tries: 0 },
      })),
      {
        from: "gateway",
        request: "GET http://other.example.com/status",
        expect: { status: 404 },
      },
      // What enters by the gateway follows the gateway's rule alone: no timeout, no subset.
      {
        from: "gateway",
        request: "GET http://api.example.com/api/v1/public/slow",
        headers: { "x-answer-after-ms": "450" },
        expect: { status: 200, takesMs: [440, 2000] },
      },
      {
        from: "gateway",
        request: "GET http://api.example.com/api/v1/public/b",
        expect: {
          requests: 150,
          shares: { "service-a-v1": 1 / 3, "service-a-v2": 1 / 3, "service-a-stable": 1 / 3 },
        },
      },
      {
        request: "GET http://service-a/api/v1/private",
        expect: { status: 200, by: "service-a-v1" },
      },
      { request: "GET http://service-a/x", expect: { status: 200, by: "service-a-stable" } },
    ],
  },
  {
    name: "what is not public is answered by the client's proxy, with a fixed answer",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a
spec:
  hosts:
  - service-a
  http:
  - match:
    - uri:
        prefix: /api/public
    route:
    - destination:
        host: service-a
  - match:
    - uri:
        prefix: /
    headers:
      response:
        set:
          x-block-reason: "path-not-allowed"
    directResponse:
      status: 404
`,
    exchanges: [
      {
        request: "GET http://service-a/api/public/x",
        expect: { status: 200, gotHeaders: { "x-block-reason": null } },
      },
      ...["/", "/api/private", "/api"].map((path) => ({
        request: `GET http://service-a${path}`,
        expect: { status: 404, gotHeaders: { "x-block-reason": "path-not-allowed" }, tries: 0 },
      })),
    ],
  },
  {
    name: "what is not public is answered by the client's proxy, with an abort of all",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a
spec:
  hosts: [service-a]
  http:
  - match:
    - uri: { prefix: /api/public }
    route:
    - destination: { host: service-a }
  - match:
    - uri: { prefix: / }
    fault:
      abort: { percentage: { value: 100 }, httpStatus: 404 }
    headers:
      response:
        set: { x-block-reason: "path-not-allowed" }
    route:
    - destination: { host: service-a }
`,
    exchanges: [
      { request: "GET http://service-a/api/public/x", expect: { status: 200 } },
      {
        request: "GET http://service-a/aborted",
        expect: { status: 404, gotHeaders: { "x-block-reason": "path-not-allowed" }, tries: 0 },
      },
    ],
  },
  {
    name: "what is not public is redirected, the path replaced whole",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a
spec:
  hosts:
  - service-a
  http:
  - match:
    - uri:
        prefix: /api/public
    route:
    - destination:
        host: service-a
  - match:
    - uri:
        prefix: /
    redirect:
      uri: /api/not-found
      authority: error-service.default.svc.cluster.local
`,
    exchanges: [
      { request: "GET http://service-a/api/public/x", expect: { status: 200 } },
      {
        request: "GET http://service-a/api/private/1",
        expect: {
          status: 301,
          gotHeaders: {
            location: "http://error-service.default.svc.cluster.local/api/not-found",
          },
          tries: 0,
        },
      },
    ],
  },
];
