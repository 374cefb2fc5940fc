import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";
import type { Ingress } from "./ingress.ts";
import { ingressKind } from "./ingress.ts";
import { ingressClassKind } from "./ingress-class.ts";
import type { KubeObject } from "./object.ts";

function objectOf(kind: string, spec: object | undefined, annotations: object = {}): KubeObject {
  const given = { apiVersion: "networking.k8s.io/v1", kind, metadata: { name: "a", annotations } };
  return { ...given, ...(spec === undefined ? {} : { spec }) } as KubeObject;
}

function issuesOf(object: KubeObject): readonly string[] {
  const result = decodeObject(object);
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message }) => `${path}: ${message}`);
}

function starting(starts: readonly string[]): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start));
}

const backend = { service: { name: "a", port: { number: 80 } } };
const path = { path: "/", pathType: "Prefix", backend };
const withPath = (more: object): object => ({
  rules: [{ http: { paths: [{ ...path, ...more }] } }],
});
const withService = (service: object): object => ({ defaultBackend: { service } });

describe("Ingress", () => {
  it.each<[object | undefined, readonly string[]]>([
    [undefined, ["spec: must have rules or a defaultBackend"]],
    [{ defaultBackend: backend }, []],
    [{ rules: [{ host: "a.b" }] }, []],
    [{ rules: [{ http: { paths: [] } }] }, ["spec.rules[0].http.paths: must not be empty"]],
    [{ rules: [{ host: "*.a.b", http: { paths: [path] } }] }, []],
    ...["*", "a*.b", "A.b", "a.b:80"].map((host): [object, readonly string[]] => [
      { rules: [{ host }] },
      ["spec.rules[0].host: must be a DNS name"],
    ]),
    [{ rules: [{ host: "1.2.3.4" }] }, ["spec.rules[0].host: must be a DNS name, not an IP"]],
    [withPath({ path: "a" }), ['spec.rules[0].http.paths[0].path: must start with "/"']],
    [withPath({ path: undefined }), ['spec.rules[0].http.paths[0].path: must start with "/"']],
    ...["/a//b", "/a/./b", "/a/../b", "/a%2fb", "/a/.."].map(
      (text): [object, readonly string[]] => [
        withPath({ path: text, pathType: "Exact" }),
        ["spec.rules[0].http.paths[0].path: must not have"],
      ],
    ),
    [withPath({ path: "/a//b", pathType: "ImplementationSpecific" }), []],
    [withPath({ path: "", pathType: "ImplementationSpecific" }), []],
    [
      withPath({ path: "a", pathType: "ImplementationSpecific" }),
      ["spec.rules[0].http.paths[0].path"],
    ],
    [withPath({ pathType: undefined }), ["spec.rules[0].http.paths[0].pathType: is required"]],
    [withPath({ pathType: "Regex" }), ["spec.rules[0].http.paths[0].pathType: must be one of"]],
    [withPath({ backend: {} }), ["spec.rules[0].http.paths[0].backend: must have a service"]],
    [
      { defaultBackend: { ...backend, resource: { kind: "a", name: "b" } } },
      ["spec.defaultBackend: may"],
    ],
    [
      { defaultBackend: { resource: { kind: "", name: "" } } },
      ["spec.defaultBackend.resource.kind", "spec.defaultBackend.resource.name"],
    ],
    [
      withService({ name: "A", port: { number: 1 } }),
      ["spec.defaultBackend.service.name: must be"],
    ],
    [
      withService({ name: "a" }),
      ["spec.defaultBackend.service.port: must have a name or a number"],
    ],
    [
      withService({ name: "a", port: { number: 0 } }),
      ["spec.defaultBackend.service.port.number: mu"],
    ],
    [
      withService({ name: "a", port: { name: "b", number: 1 } }),
      ["spec.defaultBackend.service.port: m"],
    ],
    [
      withService({ name: "a", port: { name: "b-" } }),
      ["spec.defaultBackend.service.port.name: must"],
    ],
    [
      { defaultBackend: backend, ingressClassName: "A" },
      ["spec.ingressClassName: must be the name"],
    ],
    [
      { defaultBackend: backend, tls: [{ hosts: ["1.1.1.1"], secretName: "_" }] },
      ["spec.tls[0].hosts[0]", "spec.tls[0].secretName"],
    ],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf(objectOf("Ingress", spec))).toEqual(starting(expected));
  });

  it("says its class in one place", () => {
    const annotation = { "kubernetes.io/ingress.class": "istio" };
    const spec = { defaultBackend: backend };
    expect(issuesOf(objectOf("Ingress", spec, annotation))).toEqual([]);
    expect(issuesOf(objectOf("Ingress", { ...spec, ingressClassName: "b" }, annotation))).toEqual(
      starting(["metadata.annotations[kubernetes.io/ingress.class]: may not be set beside"]),
    );
  });

  it("is printed as kubectl prints it", () => {
    const cells = (object: object): readonly unknown[] =>
      ingressKind.printerColumns
        .slice(0, 4)
        .map(({ cell }) => (typeof cell === "string" ? cell : cell(object as Ingress)));
    expect(cells(objectOf("Ingress", { defaultBackend: backend }))).toEqual([
      "<none>",
      "*",
      "",
      "80",
    ]);
    const rules = ["a", "b", "c", "d"].map((host) => ({ host }));
    const status = { loadBalancer: { ingress: [{ ip: "1.2.3.4" }, { hostname: "x" }] } };
    const full = {
      ...objectOf("Ingress", { rules, tls: [{}], ingressClassName: "istio" }),
      status,
    };
    expect(cells(full)).toEqual(["istio", "a,b,c + 1 more...", "1.2.3.4,x", "80, 443"]);
  });
});

describe("IngressClass", () => {
  it.each<[object, readonly string[]]>([
    [{ controller: "istio.io/ingress-controller" }, []],
    [{ controller: "istio" }, ["spec.controller: must be a domain and a path"]],
    [{ controller: "istio.io/" }, ["spec.controller: must be a domain and a path"]],
    [
      { controller: "a.b/c", parameters: { kind: "K", name: "n" } },
      ["spec.parameters: has no effect"],
    ],
    [
      { controller: "a.b/c", parameters: { kind: "K", name: "n", scope: "Namespace" } },
      ["spec.parameters: has no effect", "spec.parameters.namespace: must be a namespace"],
    ],
    [
      { controller: "a.b/c", parameters: { kind: "K", name: "n", namespace: "x" } },
      ["spec.parameters: has no effect", "spec.parameters.namespace: may not be set"],
    ],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf(objectOf("IngressClass", spec))).toEqual(starting(expected));
  });

  it("keeps its controller", () => {
    const of = (controller: string): KubeObject => objectOf("IngressClass", { controller });
    expect(ingressClassKind.validateUpdate?.(of("a.b/c"), of("a.b/c"))).toEqual([]);
    expect(ingressClassKind.validateUpdate?.(of("a.b/c"), of("a.b/d"))).toHaveLength(1);
  });
});
