import type { BehaviourCase } from "./behaviour-case.ts";

const REVIEWS = "GET http://reviews:9080/reviews/0";

function virtualService(host: string, http: string, more = ""): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host}, namespace: default }
spec:
  hosts: ["${host}"]${more}
  http:
${http}
---`;
}

/** `- route` entries to a subset of reviews, under a match in flow style. */
function rule(match: string, subset: string): string {
  return `  - match: ${match}\n    route: [{ destination: { host: reviews, subset: ${subset} } }]`;
}

const REST_TO_V1 = "  - route: [{ destination: { host: reviews, subset: v1 } }]";

/** Bookinfo's steps, with its own files. */
const BOOKINFO: readonly BehaviourCase[] = [
  {
    name: "without rules, requests spread over all versions",
    exchanges: [
      {
        request: REVIEWS,
        expect: {
          requests: 300,
          shares: { "reviews-v1": 1 / 3, "reviews-v2": 1 / 3, "reviews-v3": 1 / 3 },
        },
      },
      { request: "GET http://details:9080/details/0", expect: { status: 200, by: "details-v1" } },
    ],
  },
  {
    name: "a name may be written short, long or with its port left to the scheme's",
    exchanges: [
      { request: "GET http://details.default:9080/x", expect: { status: 200, by: "details-v1" } },
      {
        request: "GET http://details.default.svc.cluster.local:9080/x?y=1",
        expect: { status: 200, by: "details-v1", sawPath: "/x?y=1" },
      },
    ],
  },
  {
    name: "destination-rule-reviews picks by chance",
    samples: ["destination-rule-reviews"],
    exchanges: [
      {
        request: REVIEWS,
        expect: {
          requests: 300,
          shares: { "reviews-v1": 1 / 3, "reviews-v2": 1 / 3, "reviews-v3": 1 / 3 },
        },
      },
    ],
  },
  {
    name: "virtual-service-all-v1 pins every service",
    samples: ["destination-rule-all", "virtual-service-all-v1"],
    exchanges: [
      { request: REVIEWS, expect: { requests: 40, shares: { "reviews-v1": 1 } } },
      { request: "GET http://ratings:9080/ratings/0", expect: { status: 200, by: "ratings-v1" } },
    ],
  },
  {
    name: "virtual-service-reviews-v3 pins one service",
    samples: ["destination-rule-all", "virtual-service-reviews-v3"],
    exchanges: [
      { request: REVIEWS, expect: { requests: 40, shares: { "reviews-v3": 1 } } },
      { request: "GET http://ratings:9080/ratings/0", expect: { status: 200, by: "ratings-v1" } },
    ],
  },
  {
    name: "virtual-service-reviews-test-v2 knows jason, letter by letter",
    samples: ["destination-rule-all", "virtual-service-reviews-test-v2"],
    exchanges: [
      {
        request: REVIEWS,
        headers: { "end-user": "jason" },
        expect: { requests: 20, shares: { "reviews-v2": 1 } },
      },
      {
        request: REVIEWS,
        headers: { "End-User": "jason" },
        expect: { status: 200, by: "reviews-v2", sawHeaders: { "end-user": "jason" } },
      },
      ...["Jason", "jason2", "ason", "jason,jason"].map((name) => ({
        request: REVIEWS,
        headers: { "end-user": name },
        expect: { requests: 5, shares: { "reviews-v1": 1 } },
      })),
      { request: REVIEWS, expect: { requests: 20, shares: { "reviews-v1": 1 } } },
    ],
  },
  {
    name: "virtual-service-reviews-jason-v2-v3 gives everybody else v3",
    samples: ["destination-rule-all", "virtual-service-reviews-jason-v2-v3"],
    exchanges: [
      {
        request: REVIEWS,
        headers: { "end-user": "jason" },
        expect: { requests: 10, shares: { "reviews-v2": 1 } },
      },
      { request: REVIEWS, expect: { requests: 10, shares: { "reviews-v3": 1 } } },
    ],
  },
  ...(
    [
      ["90-10", { "reviews-v1": 0.9, "reviews-v2": 0.1 }],
      ["80-20", { "reviews-v1": 0.8, "reviews-v2": 0.2 }],
      ["50-v3", { "reviews-v1": 0.5, "reviews-v3": 0.5 }],
      ["v2-v3", { "reviews-v2": 0.5, "reviews-v3": 0.5 }],
    ] as const
  ).map(
    ([file, shares]): BehaviourCase => ({
      name: `virtual-service-reviews-${file} splits by weight`,
      samples: ["destination-rule-all", `virtual-service-reviews-${file}`],
      exchanges: [{ request: REVIEWS, expect: { requests: 1000, shares } }],
    }),
  ),
  {
    name: "bookinfo-gateway opens the pages of productpage and nothing else",
    samples: ["bookinfo-gateway"],
    exchanges: [
      ...[
        "/productpage",
        "/productpage?u=test",
        "/login",
        "/logout",
        "/static/a.css",
        "/staticx",
        "/api/v1/products/0/reviews",
      ].map((path) => ({
        from: "gateway" as const,
        request: `GET http://bookinfo.example${path}`,
        expect: { status: 200, by: "productpage-v1", sawPath: path },
      })),
      ...["/", "/productpage/", "/productpag", "/Productpage", "/login/x", "/reviews/0"].map(
        (path) => ({
          from: "gateway" as const,
          request: `GET http://bookinfo.example${path}`,
          expect: { status: 404 },
        }),
      ),
      {
        request: "GET http://productpage:9080/anything",
        expect: { status: 200, by: "productpage-v1" },
      },
      { request: REVIEWS, expect: { status: 200 } },
    ],
  },
];

/** What is missing answers by itself and leaves the rest alone. */
const MISSING: readonly BehaviourCase[] = [
  {
    name: "a host that no service has is 502, a port that it has not too",
    exchanges: [
      { request: "GET http://nowhere:9080/", expect: { status: 502 } },
      { request: "GET http://nowhere.example.com/", expect: { status: 502 } },
      { request: "GET http://reviews:9999/", expect: { status: 502 } },
      { request: REVIEWS, expect: { status: 200 } },
    ],
  },
  {
    name: "a route to an unknown host is 503, and other hosts are as they were",
    config: virtualService("reviews", "  - route: [{ destination: { host: nowhere } }]"),
    exchanges: [
      { request: REVIEWS, expect: { status: 503 } },
      { request: "GET http://ratings:9080/", expect: { status: 200, by: "ratings-v1" } },
      { request: "GET http://details:9080/", expect: { status: 200, by: "details-v1" } },
    ],
  },
  {
    name: "a route to an unknown subset is 503, and the other rules are as they were",
    samples: ["destination-rule-reviews"],
    config: virtualService(
      "reviews",
      `${rule("[{ uri: { prefix: /broken } }]", "v9")}\n${REST_TO_V1}`,
    ),
    exchanges: [
      { request: "GET http://reviews:9080/broken", expect: { status: 503 } },
      { request: REVIEWS, expect: { requests: 5, shares: { "reviews-v1": 1 } } },
    ],
  },
  {
    name: "subsets without a DestinationRule are 503",
    samples: ["virtual-service-reviews-v3"],
    exchanges: [{ request: REVIEWS, expect: { status: 503 } }],
  },
  {
    name: "pods that are not ready get nothing",
    unready: ["reviews-v1", "reviews-v3"],
    exchanges: [{ request: REVIEWS, expect: { requests: 20, shares: { "reviews-v2": 1 } } }],
  },
  {
    name: "a service without a ready pod is 503, and other services are as they were",
    unready: ["ratings-v1"],
    exchanges: [
      { request: "GET http://ratings:9080/", expect: { status: 503 } },
      { request: "GET http://details:9080/", expect: { status: 200, by: "details-v1" } },
    ],
  },
  {
    name: "a subset without a ready pod is 503, even while others are ready",
    samples: ["destination-rule-all", "virtual-service-reviews-v3"],
    unready: ["reviews-v3"],
    exchanges: [{ request: REVIEWS, expect: { status: 503 } }],
  },
  {
    name: "a gateway without routes is 404 for every path",
    config: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: bookinfo-gateway, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
`,
    exchanges: [
      { from: "gateway", request: "GET http://a.example/", expect: { status: 404 } },
      { from: "gateway", request: "GET http://a.example/productpage", expect: { status: 404 } },
    ],
  },
];

/** What a rule can match on, one property each. */
const MATCHES: readonly BehaviourCase[] = [
  {
    name: "the first rule that matches counts",
    samples: ["destination-rule-reviews"],
    config: virtualService(
      "reviews",
      [
        rule("[{ uri: { prefix: /a/b } }]", "v2"),
        rule("[{ uri: { prefix: /a } }]", "v3"),
        rule("[{ uri: { prefix: /a/b/c } }]", "v1"),
      ].join("\n"),
    ),
    exchanges: [
      { request: "GET http://reviews:9080/a/b/c", expect: { status: 200, by: "reviews-v2" } },
      { request: "GET http://reviews:9080/ab", expect: { status: 200, by: "reviews-v3" } },
      { request: "GET http://reviews:9080/other", expect: { status: 404 } },
    ],
  },
  {
    name: "uri: exact, prefix and regex, the query not counted",
    samples: ["destination-rule-reviews"],
    config: virtualService(
      "reviews",
      [
        rule("[{ uri: { exact: /exact } }]", "v1"),
        rule("[{ uri: { prefix: /prefix/ } }]", "v2"),
        rule('[{ uri: { regex: "/r[0-9]+/.*" } }]', "v3"),
      ].join("\n"),
    ),
    exchanges: [
      { request: "GET http://reviews:9080/exact", expect: { status: 200, by: "reviews-v1" } },
      { request: "GET http://reviews:9080/exact?a=b", expect: { status: 200, by: "reviews-v1" } },
      { request: "GET http://reviews:9080/exact/", expect: { status: 404 } },
      { request: "GET http://reviews:9080/prefix/x", expect: { status: 200, by: "reviews-v2" } },
      { request: "GET http://reviews:9080/prefix", expect: { status: 404 } },
      { request: "GET http://reviews:9080/r12/x?q", expect: { status: 200, by: "reviews-v3" } },
      { request: "GET http://reviews:9080/x/r12/x", expect: { status: 404 } },
      { request: "GET http://reviews:9080/r12", expect: { status: 404 } },
    ],
  },
  {
    name: "headers: exact, prefix, regex, and that one is there",
    samples: ["destination-rule-reviews"],
    config: virtualService(
      "reviews",
      [
        rule("[{ headers: { x-user: { prefix: tester- } } }]", "v2"),
        rule('[{ headers: { cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } }]', "v3"),
        rule("[{ headers: { x-there: {} } }]", "v2"),
        REST_TO_V1,
      ].join("\n"),
    ),
    exchanges: [
      {
        request: REVIEWS,
        headers: { "x-user": "tester-1" },
        expect: { status: 200, by: "reviews-v2" },
      },
      {
        request: REVIEWS,
        headers: { "x-user": "a-tester-" },
        expect: { status: 200, by: "reviews-v1" },
      },
      {
        request: REVIEWS,
        headers: { cookie: "a=b;user=jason" },
        expect: { status: 200, by: "reviews-v3" },
      },
      {
        request: REVIEWS,
        headers: { cookie: "user=jasonx" },
        expect: { status: 200, by: "reviews-v1" },
      },
      {
        request: REVIEWS,
        headers: { "x-there": "any" },
        expect: { status: 200, by: "reviews-v2" },
      },
      { request: REVIEWS, expect: { status: 200, by: "reviews-v1" } },
    ],
  },
  {
    name: "method, and all conditions of one match together, any match of several",
    samples: ["destination-rule-reviews"],
    config: virtualService(
      "reviews",
      [
        rule("[{ method: { exact: POST }, uri: { prefix: /both } }]", "v2"),
        rule("[{ method: { exact: PUT } }, { uri: { exact: /either } }]", "v3"),
        REST_TO_V1,
      ].join("\n"),
    ),
    exchanges: [
      { request: "POST http://reviews:9080/both/x", expect: { status: 200, by: "reviews-v2" } },
      { request: "GET http://reviews:9080/both/x", expect: { status: 200, by: "reviews-v1" } },
      { request: "POST http://reviews:9080/x", expect: { status: 200, by: "reviews-v1" } },
      { request: "PUT http://reviews:9080/both", expect: { status: 200, by: "reviews-v3" } },
      { request: "GET http://reviews:9080/either", expect: { status: 200, by: "reviews-v3" } },
    ],
  },
];

/** Gateways with hosts, and several services behind one. */
const GATEWAYS: readonly BehaviourCase[] = [
  {
    name: "a gateway answers for its hosts alone",
    config: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shop, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 80, name: http, protocol: HTTP }
      hosts: [shop.example.com, "*.wild.example.org"]
---${virtualService(
      "shop.example.com",
      "  - route: [{ destination: { host: details } }]",
      "\n  gateways: [shop]",
    )}${virtualService(
      "a.wild.example.org",
      "  - match: [{ uri: { exact: /index.html } }]\n    route: [{ destination: { host: ratings, port: { number: 9080 } } }]",
      "\n  gateways: [shop]",
    )}`,
    exchanges: [
      {
        from: "gateway",
        request: "GET http://shop.example.com/",
        expect: { status: 200, by: "details-v1" },
      },
      {
        from: "gateway",
        request: "GET http://SHOP.example.com:8080/",
        expect: { status: 200, by: "details-v1" },
      },
      {
        from: "gateway",
        request: "GET http://a.wild.example.org/index.html",
        expect: { status: 200, by: "ratings-v1" },
      },
      { from: "gateway", request: "GET http://a.wild.example.org/", expect: { status: 404 } },
      {
        from: "gateway",
        request: "GET http://b.wild.example.org/index.html",
        expect: { status: 404 },
      },
      { from: "gateway", request: "GET http://other.example.com/", expect: { status: 404 } },
      { request: "GET http://details:9080/", expect: { status: 200, by: "details-v1" } },
    ],
  },
  {
    name: "the oldest of several VirtualServices for a host at a gateway comes first",
    config: `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shop, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a-later, namespace: default, creationTimestamp: "2026-01-02T00:00:00Z" }
spec:
  hosts: ["*"]
  gateways: [shop]
  http:
    - match: [{ uri: { prefix: /both } }, { uri: { prefix: /later } }]
      route: [{ destination: { host: ratings } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b-earlier, namespace: default, creationTimestamp: "2026-01-01T00:00:00Z" }
spec:
  hosts: ["*"]
  gateways: [shop]
  http:
    - match: [{ uri: { prefix: /both } }]
      route: [{ destination: { host: details } }]
`,
    exchanges: [
      {
        from: "gateway",
        request: "GET http://a.test/both",
        expect: { status: 200, by: "details-v1" },
      },
      {
        from: "gateway",
        request: "GET http://a.test/later",
        expect: { status: 200, by: "ratings-v1" },
      },
      { from: "gateway", request: "GET http://a.test/other", expect: { status: 404 } },
    ],
  },
  {
    name: "rules for the mesh and for a gateway stay apart",
    samples: ["destination-rule-all", "bookinfo-gateway", "virtual-service-reviews-v3"],
    config: virtualService("api.example.com", REST_TO_V1, "\n  gateways: [bookinfo-gateway]"),
    exchanges: [
      {
        from: "gateway",
        request: "GET http://api.example.com/any",
        expect: { status: 200, by: "reviews-v1" },
      },
      {
        from: "gateway",
        request: "GET http://b.example.com/productpage",
        expect: { status: 200, by: "productpage-v1" },
      },
      { request: REVIEWS, expect: { requests: 10, shares: { "reviews-v3": 1 } } },
    ],
  },
];

/** Everything that both data planes must do alike. */
export const CASES: readonly BehaviourCase[] = [...BOOKINFO, ...MISSING, ...MATCHES, ...GATEWAYS];
