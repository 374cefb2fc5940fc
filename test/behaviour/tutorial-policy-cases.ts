/** Versions and policies of services, as tutorials give them to their readers. */
import type { TutorialCase } from "./tutorial-case.ts";

const REVIEWS = "GET http://reviews:9080/reviews/0";

const RATINGS_V1 = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ratings
spec:
  host: ratings
  trafficPolicy:
    loadBalancer:
      simple: RANDOM
  subsets:
  - name: v1
    labels:
      version: v1
`;

/** Tries of 150 ms in a time of 400 ms, tutorials' seconds made short. */
function rulesOfRatings(retryOn: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ratings
spec:
  hosts:
  - ratings
  http:
  - route:
    - destination:
        host: ratings
        subset: v1
    timeout: 400ms
    retries:
      attempts: 3
      perTryTimeout: 150ms
      ${retryOn}
`;
}

/** Versions, their policies, and what goes wrong. */
export const TUTORIAL_POLICY_CASES: readonly TutorialCase[] = [
  {
    name: "apiVersion v1 and comments in Chinese are read, and a subset that nobody defines is 503",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews # 客户端访问的地址
  http:
  - match: # 匹配条件：用户是 jason
    - headers:
        end-user:
          exact: jason
    route:
    - destination:
        host: reviews
        subset: v2
  - route: # 默认规则
    - destination:
        host: reviews
        subset: v3
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
  - name: v2
    labels:
      version: v2
`,
    exchanges: [
      {
        request: REVIEWS,
        headers: { "end-user": "jason" },
        expect: { requests: 10, shares: { "reviews-v2": 1 } },
      },
      { request: REVIEWS, expect: { status: 503 } },
    ],
  },
  {
    name: "a rule that matches nothing leaves 404, not the service",
    config: `
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: ratings
spec:
  hosts:
  - ratings
  http:
  - match:
    - uri:
        prefix: /ratings
    route:
    - destination:
        host: ratings
`,
    exchanges: [
      { request: "GET http://ratings:9080/ratings/0", expect: { status: 200, by: "ratings-v1" } },
      { request: "GET http://ratings:9080/else", expect: { status: 404 } },
    ],
  },
  {
    name: "a delay hits the share that it names",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ratings
spec:
  hosts:
  - ratings
  http:
  - match:
    - uri:
        prefix: /always
    fault:
      delay:
        percentage:
          value: 100
        fixedDelay: 150ms
    route:
    - destination:
        host: ratings
  - fault:
      delay:
        percentage:
          value: 0.1
        fixedDelay: 5s
    route:
    - destination:
        host: ratings
`,
    exchanges: [
      {
        request: "GET http://ratings:9080/always",
        expect: { status: 200, takesMs: [145, 1000], tries: 1 },
      },
    ],
  },
  {
    name: "a delay is not cut by the rule's timeout, which begins after it",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ratings
spec:
  hosts: [ratings]
  http:
  - fault:
      delay: { percentage: { value: 100 }, fixedDelay: 200ms }
    timeout: 100ms
    route:
    - destination: { host: ratings }
`,
    exchanges: [
      {
        request: "GET http://ratings:9080/fault-and-timeout",
        expect: { status: 200, takesMs: [195, 1000], tries: 1 },
      },
    ],
  },
  {
    name: "retries: a status is an answer, a connection that is refused is tried again",
    config: (block) => `${RATINGS_V1}---${rulesOfRatings("")}---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ratings-2
  labels: { kubernetes.io/service-name: ratings }
addressType: IPv4
ports: [{ name: http, port: 9080 }]
endpoints:
- addresses: ["127.${block}.0.250"]
  targetRef: { kind: Pod, name: ratings-v1-refusing, namespace: default }
---
apiVersion: v1
kind: Pod
metadata: { name: ratings-v1-refusing, labels: { app: ratings, version: v1 } }
spec: { containers: [{ name: app, image: app }] }
status: { phase: Running, podIP: "127.${block}.0.250" }
`,
    exchanges: [
      // Half of the first tries are refused, and nobody notices.
      {
        request: "GET http://ratings:9080/x",
        expect: { requests: 60, shares: { "ratings-v1": 1 } },
      },
    ],
  },
  {
    name: "retries: neither an app's 503 nor a slow try is repeated without a word",
    config: `${RATINGS_V1}---${rulesOfRatings("")}`,
    exchanges: [
      {
        request: "GET http://ratings:9080/plain/503",
        headers: { "x-answer-status": "503" },
        expect: { status: 503, tries: 1 },
      },
      {
        request: "GET http://ratings:9080/plain/slow",
        headers: { "x-answer-after-ms": "1000" },
        expect: { status: 504, tries: 1, takesMs: [140, 290] },
      },
    ],
  },
  {
    name: "retries: with retryOn, until the tries or the time are used up",
    config: `${RATINGS_V1}---${rulesOfRatings("retryOn: gateway-error,connect-failure,refused-stream")}`,
    exchanges: [
      {
        request: "GET http://ratings:9080/on/503",
        headers: { "x-answer-status": "503" },
        expect: { status: 503, tries: 4 },
      },
      {
        request: "GET http://ratings:9080/on/500",
        headers: { "x-answer-status": "500" },
        expect: { status: 500, tries: 1 },
      },
      {
        request: "GET http://ratings:9080/on/slow",
        headers: { "x-answer-after-ms": "1000" },
        expect: { status: 504, tries: 3, takesMs: [390, 800] },
      },
    ],
  },
  {
    name: "a subset's balancer is its own, the others have their service's",
    config: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: my-destination-rule
spec:
  host: my-svc
  trafficPolicy:
    loadBalancer:
      simple: RANDOM
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
    trafficPolicy:
      loadBalancer:
        simple: ROUND_ROBIN
  - name: v3
    labels:
      version: v3
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: my-svc
spec:
  hosts:
  - my-svc
  http:
  - match: [{ uri: { prefix: /v1 } }]
    route: [{ destination: { host: my-svc, subset: v1 } }]
  - match: [{ uri: { prefix: /v2 } }]
    route: [{ destination: { host: my-svc, subset: v2 } }]
  - match: [{ uri: { prefix: /v3 } }]
    route: [{ destination: { host: my-svc, subset: v3 } }]
  - route: [{ destination: { host: my-svc } }]
`,
    exchanges: [
      { request: "GET http://my-svc/v1", expect: { requests: 4, shares: { "my-svc-v1": 1 } } },
      { request: "GET http://my-svc/v3", expect: { requests: 4, shares: { "my-svc-v3": 1 } } },
      {
        request: "GET http://my-svc/any",
        expect: {
          requests: 200,
          shares: {
            "my-svc-v1": 1 / 4,
            "my-svc-v2": 1 / 4,
            "my-svc-v2b": 1 / 4,
            "my-svc-v3": 1 / 4,
          },
        },
      },
    ],
  },
  {
    name: "DestinationRules of one host are put together: the oldest's policy, everybody's subsets",
    config: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: second, creationTimestamp: "2026-01-02T00:00:00Z" }
spec:
  host: reviews.default.svc.cluster.local
  subsets:
  - { name: old, labels: { version: v3 } }
  - { name: new, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: first, creationTimestamp: "2026-01-01T00:00:00Z" }
spec:
  host: reviews
  subsets:
  - { name: old, labels: { version: v1 } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
  - match: [{ uri: { prefix: /new } }]
    route: [{ destination: { host: reviews, subset: new } }]
  - route: [{ destination: { host: reviews, subset: old } }]
`,
    exchanges: [
      { request: REVIEWS, expect: { requests: 6, shares: { "reviews-v1": 1 } } },
      {
        request: "GET http://reviews:9080/new",
        expect: { requests: 6, shares: { "reviews-v2": 1 } },
      },
    ],
  },
  {
    name: "of two VirtualServices of one host in the mesh the oldest counts, alone",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a-later, creationTimestamp: "2026-01-02T00:00:00Z" }
spec:
  hosts: [ratings]
  http:
  - match: [{ uri: { prefix: /later } }]
    route: [{ destination: { host: reviews } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b-earlier, creationTimestamp: "2026-01-01T00:00:00Z" }
spec:
  hosts: [ratings]
  http:
  - match: [{ uri: { prefix: /earlier } }]
    route: [{ destination: { host: ratings } }]
`,
    exchanges: [
      { request: "GET http://ratings:9080/earlier", expect: { status: 200, by: "ratings-v1" } },
      { request: "GET http://ratings:9080/later", expect: { status: 404 } },
    ],
  },
  {
    name: "a copy goes to another service, and its answer to nobody",
    config: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings }
spec:
  hosts: [ratings]
  http:
  - match: [{ uri: { prefix: /copied-to-nobody } }]
    route: [{ destination: { host: ratings } }]
    mirror: { host: nowhere }
  - match: [{ uri: { prefix: /copied } }]
    route: [{ destination: { host: ratings } }]
    mirror: { host: nginx, port: { number: 80 } }
    mirrorPercentage: { value: 100 }
  - route: [{ destination: { host: ratings } }]
    mirror: { host: nginx, port: { number: 80 } }
    mirrorPercentage: { value: 0 }
`,
    exchanges: [
      // The app takes its time, in which the copy arrives.
      {
        request: "GET http://ratings:9080/copied",
        headers: { "x-answer-after-ms": "80" },
        expect: { status: 200, by: "ratings-v1", tries: 2 },
      },
      {
        request: "GET http://ratings:9080/copied-to-nobody",
        headers: { "x-answer-after-ms": "80" },
        expect: { status: 200, by: "ratings-v1", tries: 1 },
      },
      {
        request: "GET http://ratings:9080/not",
        headers: { "x-answer-after-ms": "80" },
        expect: { status: 200, by: "ratings-v1", tries: 1 },
      },
    ],
  },
  {
    name: "an endpoint that fails is taken out, and requests fail fast",
    config: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: nginx }
spec:
  host: nginx
  trafficPolicy:
    outlierDetection:
      consecutive5xxErrors: 2
      interval: 1s
      baseEjectionTime: 3m
      maxEjectionPercent: 100
`,
    exchanges: [
      ...[1, 2].map(() => ({
        request: "GET http://nginx/failing",
        headers: { "x-answer-status": "500" },
        expect: { status: 500, tries: 1 },
      })),
      { request: "GET http://nginx/failed", expect: { status: 503, tries: 0 } },
      { request: "GET http://my-svc/failed", expect: { status: 200 } },
    ],
  },
];
