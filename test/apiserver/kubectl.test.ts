import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "../../src/config/object.ts";
import { findCases } from "../programs.ts";
import type { Fixture } from "./fixture.ts";
import { createFixture, hasKubectl } from "./fixture.ts";

const cases = findCases();

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: reviews
  labels: {app: reviews}
spec:
  ports:
  - port: 9080
    name: http
  selector: {app: reviews}
`;

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: reviews-v1
spec:
  selector:
    matchLabels: {app: reviews}
  template:
    metadata:
      labels: {app: reviews}
    spec:
      containers:
      - name: reviews
        image: reviews:v1
        env:
        - {name: A, value: a}
        - {name: B, value: b}
        ports:
        - containerPort: 9080
`;

const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
`;

const DESTINATION_RULE = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  trafficPolicy:
`;

const POD: KubeObject & { spec: object; status: object } = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "reviews-v1-x", namespace: "default", labels: { app: "reviews" } },
  spec: { nodeName: "weft", containers: [{ name: "reviews", image: "reviews:v1" }] },
  status: {
    phase: "Running",
    podIP: "127.65.0.7",
    containerStatuses: [
      { name: "reviews", ready: true, restartCount: 2, image: "reviews:v1", imageID: "" },
    ],
  },
};

describe.skipIf(!hasKubectl)("ApiServer with kubectl", () => {
  let fixture: Fixture;
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await fixture.kubectl(args);
    expect({ args, code, err }).toEqual({ args, code: 0, err: "" });
    return out;
  };
  const apply = async (text: string): Promise<string> => {
    const { code, out, err } = await fixture.kubectl(["apply", "-f", "-"], text);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return out;
  };

  beforeEach(async () => {
    fixture = await createFixture({
      async *logs(pod, { container, tailLines, follow }) {
        yield Buffer.from(`${pod.metadata.name}/${container} tail=${tailLines} ${follow}\n`);
      },
    });
  });
  afterEach(() => fixture.close());

  it("applies, and says what was created, configured and unchanged", async () => {
    expect(await apply(`${SERVICE}---\n${VIRTUAL_SERVICE}`)).toBe(
      "service/reviews created\nvirtualservice.networking.istio.io/reviews created\n",
    );
    expect(await apply(SERVICE)).toBe("service/reviews unchanged\n");
    expect(await apply(SERVICE.replace("9080", "9081"))).toBe("service/reviews configured\n");
    expect(await run("get", "svc", "reviews", "-o", "jsonpath={.spec.ports}")).toBe(
      '[{"name":"http","port":9081,"protocol":"TCP","targetPort":9081}]',
    );
    const moved = VIRTUAL_SERVICE.replace("v1beta1", "v1").replace("subset: v1", "subset: v3");
    expect(await apply(moved)).toBe("virtualservice.networking.istio.io/reviews configured\n");
    const path = "jsonpath={.apiVersion} {.metadata.generation} {.spec.http[0].route[0]}";
    expect(await run("get", "vs", "reviews", "-o", path)).toBe(
      'networking.istio.io/v1 2 {"destination":{"host":"reviews","subset":"v3"}}',
    );
  });

  it("merges lists by their keys", async () => {
    await apply(DEPLOYMENT);
    const changed = DEPLOYMENT.replace("        - {name: A, value: a}\n", "").replace(
      "value: b",
      "value: c",
    );
    expect(await apply(changed)).toBe("deployment.apps/reviews-v1 configured\n");
    await run("set", "env", "deploy/reviews-v1", "C=1");
    await run("rollout", "restart", "deploy/reviews-v1");
    const path = "jsonpath={.spec.template.spec.containers[*].env}";
    expect(await run("get", "deploy", "reviews-v1", "-o", path)).toBe(
      '[{"name":"B","value":"c"},{"name":"C","value":"1"}]',
    );
  });

  it("prints tables as kubectl's users know them", async () => {
    await apply(`${SERVICE}---\n${DEPLOYMENT}---\n${VIRTUAL_SERVICE}`);
    await fixture.storage.create(POD);
    const tableOf = async (...args: readonly string[]): Promise<string> =>
      (await run("get", ...args)).replaceAll(/\d+s\b/g, "0s").replaceAll(/ +/g, " ");
    expect(await tableOf("pods", "-o", "wide")).toBe(
      "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES\n" +
        "reviews-v1-x 1/1 Running 2 0s 127.65.0.7 weft <none> <none>\n",
    );
    expect(await tableOf("svc")).toBe(
      "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE\nreviews ClusterIP <none> <none> 9080/TCP 0s\n",
    );
    expect(await tableOf("deploy")).toBe(
      "NAME READY UP-TO-DATE AVAILABLE AGE\nreviews-v1 0/1 0 0 0s\n",
    );
    expect(await tableOf("vs")).toBe('NAME GATEWAYS HOSTS AGE\nreviews ["reviews"] 0s\n');
    expect(await tableOf("ns")).toBe("NAME STATUS AGE\ndefault Active 0s\n");
    expect(await tableOf("po", "-l", "app in (reviews),!x", "-o", "name")).toBe(
      "pod/reviews-v1-x\n",
    );
    expect(await run("get", "po", "--field-selector", "status.phase=Failed", "-o", "name")).toBe(
      "",
    );
  });

  it("shows changes while it watches", async () => {
    await apply(SERVICE);
    const steps = [
      () => run("label", "svc", "reviews", "seen=yes"),
      () => run("label", "svc", "reviews", "seen-"),
    ];
    const out = await fixture.kubectlUntil(
      ["get", "svc", "-w", "--output-watch-events", "-l", "app=reviews"],
      (text) => text.split("\n").length > 4,
      (text) => {
        if (text.split("\n").length > 4 - steps.length) void steps.shift()?.();
      },
    );
    expect(out.split("\n").map((line) => line.split(/ +/)[0])).toEqual([
      "EVENT",
      "ADDED",
      "MODIFIED",
      "MODIFIED",
      "",
    ]);
  });

  it("labels, scales, deletes and reads logs", async () => {
    await apply(`${SERVICE}---\n${DEPLOYMENT}`);
    await fixture.storage.create(POD);
    expect(await run("label", "svc", "reviews", "a=b")).toBe("service/reviews labeled\n");
    expect(await run("scale", "deploy/reviews-v1", "--replicas=3")).toBe(
      "deployment.apps/reviews-v1 scaled\n",
    );
    expect(await run("get", "deploy", "-o", "jsonpath={.items[0].spec.replicas}")).toBe("3");
    expect(await run("logs", "reviews-v1-x", "--tail=5")).toBe(
      "reviews-v1-x/reviews tail=5 false\n",
    );
    expect(await run("delete", "svc", "-l", "a=b")).toBe('service "reviews" deleted\n');
    expect(await run("delete", "deploy", "--all")).toBe('deployment.apps "reviews-v1" deleted\n');
    expect(await run("get", "deploy,svc", "-o", "name")).toBe("");
  });

  it("creates what kubectl has commands for, which speak protobuf", async () => {
    const cases: readonly [string, string, object][] = [
      ["namespace shop", "namespace/shop created", { status: { phase: "Active" } }],
      [
        "configmap settings --from-literal=a=b --from-literal=empty=",
        "configmap/settings created",
        { data: { a: "b", empty: "" } },
      ],
      [
        "secret generic key --from-literal=a=b",
        "secret/key created",
        { data: { a: "Yg==" }, type: "Opaque" },
      ],
      ["serviceaccount me", "serviceaccount/me created", {}],
      [
        "service clusterip web --tcp=80:http",
        "service/web created",
        {
          spec: {
            type: "ClusterIP",
            selector: { app: "web" },
            ports: [{ name: "80-http", port: 80, protocol: "TCP", targetPort: "http" }],
          },
        },
      ],
      [
        "deployment web --image=web:1 --replicas=0 --port=8080",
        "deployment.apps/web created",
        {
          spec: {
            replicas: 0,
            selector: { matchLabels: { app: "web" } },
            template: {
              metadata: { labels: { app: "web" } },
              spec: {
                containers: [{ name: "web", image: "web:1", ports: [{ containerPort: 8080 }] }],
              },
            },
          },
        },
      ],
    ];
    for (const [command, said, expected] of cases) {
      expect(await run("create", ...command.split(" "))).toBe(`${said}\n`);
      const [what = ""] = said.split(" ");
      expect(JSON.parse(await run("get", what, "-o", "json"))).toMatchObject(expected);
    }
    const refused = await fixture.kubectl([
      "create",
      "clusterrole",
      "x",
      "--verb=get",
      "--resource=pods",
    ]);
    expect(refused.code).toBe(1);
  });

  it("names what is wrong, and exits with an error", async () => {
    const cases: readonly [string, string][] = [
      [
        VIRTUAL_SERVICE.replace("hosts:", "hots:"),
        'spec.hots: unknown field "hots", did you mean "hosts"?',
      ],
      [
        `${DESTINATION_RULE}    loadBalancer: {backendUtilization: {}}\n`,
        "spec.trafficPolicy.loadBalancer.backendUtilization: is not supported yet",
      ],
      [
        SERVICE.replace("9080", "99080"),
        "spec.ports[0].port: must be between 1 and 65535: got 99080",
      ],
      [
        SERVICE.replace("name: reviews", "name: reviews\n  namespace: nowhere"),
        'namespaces "nowhere" not found',
      ],
    ];
    for (const [text, message] of cases) {
      const { code, err } = await fixture.kubectl(["apply", "-f", "-"], text);
      expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(message) });
    }
    const exec = await fixture.kubectl(["exec", "reviews-v1-x", "--", "ls"]);
    expect(exec).toMatchObject({ code: 1 });
  });

  it("explains fields", async () => {
    const text = await run("explain", "dr.spec.trafficPolicy.loadBalancer");
    expect(text).toMatch(/backendUtilization\t<Object>\n {4}.*\s*Not supported yet\./);
  });

  it.skipIf(cases === undefined)("takes Istio's own Bookinfo as it is", async () => {
    const files = [
      "platform/kube/bookinfo.yaml",
      "networking/bookinfo-gateway.yaml",
      "networking/destination-rule-all.yaml",
      "networking/virtual-service-all-v1.yaml",
      "networking/virtual-service-reviews-test-v2.yaml",
      "networking/virtual-service-ratings-test-abort.yaml",
      "networking/destination-rule-all-mtls.yaml",
    ];
    for (const file of files) await run("apply", "-f", `${cases}/samples/bookinfo/${file}`);
    const again = await run("apply", "-f", `${cases}/samples/bookinfo/${files[0]}`);
    expect(
      again
        .trim()
        .split("\n")
        .every((line) => line.endsWith(" unchanged")),
    ).toBe(true);
  });
});
