import { expect, test } from "vitest";
import { decodeYaml, formatProblem } from "../../src/config/yaml.ts";

/** What tutorials show and cannot be applied, or does not do what they say; and what is said then. */
const TABLE: readonly { what: string; text: string; said: readonly string[] }[] = [
  {
    what: "an abort in the place of a route",
    text: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-a
spec:
  hosts:
  - service-a
  http:
  - match:
    - uri:
        prefix: /
    fault:
      abort:
        percentage:
          value: 100
        httpStatus: 404
    headers:
      response:
        set:
          x-block-reason: "path-not-allowed"
`,
    said: [
      "a.yaml:9:5: VirtualService/default/service-a: spec.http[0].route: HTTP route, redirect or direct_response is required: for a fixed answer, directResponse: {status: 404}",
    ],
  },
  {
    what: "a fragment with wrong indentation",
    text: `http:
- match:
  - uri:
      prefix: /api/public
   route:
  - destination:
      host: service-a
`,
    said: ["a.yaml:5:1: sequence item without - indicator"],
  },
  {
    what: "a redirect beside a fault",
    text: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a]
  http:
  - fault: { abort: { percentage: { value: 100 }, httpStatus: 404 } }
    redirect: { uri: /api/not-found }
`,
    said: [
      "a.yaml:7:5: VirtualService/default/a: spec.http[0].fault: must not stand beside redirect",
    ],
  },
  {
    what: "two objects with nothing between them",
    text: `apiVersion: v1
kind: Service
metadata: { name: nginx }
spec: { ports: [{ port: 80 }] }
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: nginx-gateway }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [nginx.servicemesh.com] }]
`,
    said: [
      'a.yaml:5:1: duplicate key "apiVersion", first on line 1, a "---" line is probably missing between two objects',
    ],
  },
  {
    what: "a balancer written wrongly",
    text: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: a }
spec: { host: a, trafficPolicy: { loadBalancer: { simple: PASSTHRROUGH } } }
`,
    said: [
      'a.yaml:4:51: DestinationRule/default/a: spec.trafficPolicy.loadBalancer.simple: must be one of UNSPECIFIED, LEAST_CONN, RANDOM, PASSTHROUGH, ROUND_ROBIN, LEAST_REQUEST: got "PASSTHRROUGH", did you mean "PASSTHROUGH"?',
    ],
  },
  {
    what: "a limit of requests by a condition that policies do not have",
    text: `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: rate-limit-by-ip, namespace: default }
spec:
  action: DENY
  rules:
  - from: [{ source: { ipBlocks: [1.2.3.4] } }]
    when: [{ key: request.count, values: ["100"] }]
`,
    said: [
      'a.yaml:2:1: AuthorizationPolicy/default/rate-limit-by-ip: kind: kind "AuthorizationPolicy" of security.istio.io/v1 is not supported yet by this version of weft',
    ],
  },
  {
    what: "everything denied",
    text: `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny-all, namespace: default }
spec: { action: DENY, rules: [{}] }
`,
    said: [
      'a.yaml:2:1: AuthorizationPolicy/default/deny-all: kind: kind "AuthorizationPolicy" of security.istio.io/v1 is not supported yet by this version of weft',
    ],
  },
  {
    what: "tracing of the whole mesh",
    text: `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: mesh-default, namespace: istio-system }
spec: { tracing: [{ providers: [{ name: jaeger }] }] }
`,
    said: [],
  },
  {
    what: "a host for everything in the mesh",
    text: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec: { hosts: ["*"], http: [{ route: [{ destination: { host: a } }] }] }
`,
    said: [
      'a.yaml:4:17: VirtualService/default/a: spec.hosts[0]: "*" is only for gateways: name one in spec.gateways, and not "mesh"',
    ],
  },
  {
    what: "documents before and after that hold nothing",
    text: `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
  - name: v1
    labels:
      version: v1
---
`,
    said: [],
  },
];

test.each(TABLE)("`decodeYaml()` of $what", ({ text, said }) => {
  const { problems } = decodeYaml(text, "a.yaml", { defaultNamespace: "default" });
  expect(problems.map(formatProblem)).toEqual(said);
});
