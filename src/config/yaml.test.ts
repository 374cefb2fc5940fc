import { describe, expect, it } from "vitest";
import { decodeYaml, formatProblem, parsePath } from "./yaml.ts";

function problemsOf(text: string): readonly string[] {
  return decodeYaml(text, "a.yaml", { defaultNamespace: "default" }).problems.map(formatProblem);
}

const GOOD = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: good
`;

describe("decodeYaml()", () => {
  it("reads documents, skips empty ones, expands lists and gives the namespace", () => {
    const { objects, problems } = decodeYaml(
      `# only a comment\n---\n${GOOD}---\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: shop}\n- ${JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "shop" } })}\n`,
      "a.yaml",
      { defaultNamespace: "default" },
    );
    expect(problems).toEqual([]);
    expect(
      objects.map(({ object, line }) => [object.kind, object.metadata.namespace, line]),
    ).toEqual([
      ["ServiceAccount", "default", 3],
      ["Namespace", undefined, 12],
      ["ConfigMap", "shop", 15],
    ]);
  });

  const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
`;

  it.each([
    {
      what: "an unknown field",
      text: `${VIRTUAL_SERVICE}  hots: [reviews]\n  hosts: [reviews]\n  http:\n  - route: [{destination: {host: reviews}}]\n`,
      problems: [
        'a.yaml:6:3: VirtualService/default/reviews: spec.hots: unknown field "hots", did you mean "hosts"?',
      ],
    },
    {
      what: "a field that is not built",
      text: `${VIRTUAL_SERVICE.replace("VirtualService", "DestinationRule")}  host: reviews\n  trafficPolicy:\n    loadBalancer:\n      backendUtilization: {}\n`,
      problems: [
        "a.yaml:9:7: DestinationRule/default/reviews: spec.trafficPolicy.loadBalancer.backendUtilization: is not supported yet: Istio knows this field, this version of weft does not",
      ],
    },
    {
      what: "a missing field, at its parent",
      text: `${VIRTUAL_SERVICE}  hosts: [reviews]\n  http:\n  - route:\n    - destination: {subset: v1}\n`,
      problems: [
        "a.yaml:9:7: VirtualService/default/reviews: spec.http[0].route[0].destination.host: is required",
      ],
    },
    {
      what: "an unknown kind",
      text: GOOD.replace("ServiceAccount", "ServiceAcount"),
      problems: [
        'a.yaml:2:1: ServiceAcount/good: kind: unknown kind "ServiceAcount" in apiVersion "v1", did you mean "ServiceAccount"?',
      ],
    },
    {
      what: "an unknown apiVersion",
      text: GOOD.replace("v1", "v2"),
      problems: [
        'a.yaml:1:1: ServiceAccount/good: apiVersion: unknown kind "ServiceAccount" in apiVersion "v2", did you mean apiVersion "v1"?',
      ],
    },
    {
      what: "a separator that is missing, once",
      text: `${GOOD}${GOOD}---\n${GOOD.replace("name: good", "name: 7")}`,
      problems: [
        'a.yaml:5:1: duplicate key "apiVersion", first on line 1, a "---" line is probably missing between two objects',
        "a.yaml:13:3: metadata.name: must be text: got 7, put it in quotes",
      ],
    },
    {
      what: "a key that is there twice",
      text: `${GOOD}  labels:\n    app: a\n    app: b\n`,
      problems: ['a.yaml:7:5: duplicate key "app"'],
    },
    {
      what: "a tab",
      text: `${GOOD}  labels:\n\tapp: a\n`,
      problems: [expect.stringMatching(/^a\.yaml:6:1: tabs are not allowed as indentation/)],
    },
    { what: "text", text: "hello\n", problems: ['a.yaml:1:1: must be an object: got "hello"'] },
  ])("names the place of $what", ({ text, problems }) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it("keeps the good objects beside a broken document", () => {
    const { objects, problems } = decodeYaml(`a: [\n---\n${GOOD}`, "a.yaml");
    expect(objects.map(({ object }) => object.metadata.name)).toEqual(["good"]);
    expect(problems.length).toBeGreaterThan(0);
  });

  it("refuses an alias bomb", () => {
    const text = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`;
    expect(problemsOf(text)[0]).toMatch(/alias/);
  });
});

describe("parsePath()", () => {
  it("takes dots in brackets as part of a name", () => {
    expect(parsePath("metadata.labels[app.kubernetes.io/name]")).toEqual([
      "metadata",
      "labels",
      "app.kubernetes.io/name",
    ]);
    expect(parsePath("spec.http[0].match[1].uri")).toEqual([
      "spec",
      "http",
      "0",
      "match",
      "1",
      "uri",
    ]);
  });
});
