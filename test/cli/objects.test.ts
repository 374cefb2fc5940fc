import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Command } from "../../src/cli/command.ts";
import { getCommand } from "../../src/cli/get.ts";
import { labelCommand } from "../../src/cli/label.ts";
import { logsCommand } from "../../src/cli/logs.ts";
import { scaleCommand } from "../../src/cli/scale.ts";
import { type CommandResult, FakeApi, runCommand } from "./fake-api.ts";

const api = new FakeApi();
const PODS = "/api/v1/namespaces/default/pods";
const VS = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";

beforeAll(() => api.start());
afterEach(() => api.reset());
afterAll(() => api.stop());

function run(command: Command, ...args: string[]): Promise<CommandResult> {
  return runCommand(command, args, { home: api.home });
}

function pod(name: string, labels: Record<string, string> = {}): object {
  return {
    metadata: { name, namespace: "default", labels },
    spec: { containers: [{ name: "istio-proxy" }, { name: "reviews" }] },
    status: { hostIP: "127.0.0.1", phase: "Running" },
  };
}

const TABLE = {
  kind: "Table",
  metadata: { resourceVersion: "7" },
  columnDefinitions: [
    { name: "Name", priority: 0 },
    { name: "Ready", priority: 0 },
    { name: "IP", priority: 1 },
  ],
  rows: [
    {
      cells: ["details-v1-abc", "2/2", "127.65.0.7"],
      object: pod("details-v1-abc", { app: "details" }),
    },
    { cells: ["x", "1/2", "127.65.0.8"], object: pod("x") },
  ],
};

test("`weft get` prints the API's table, with kubectl's gaps", async () => {
  api.routes.set(`GET ${PODS}`, { json: TABLE });
  expect(await run(getCommand, "po")).toEqual({
    exitCode: 0,
    stdout: "NAME             READY\ndetails-v1-abc   2/2\nx                1/2\n",
    stderr: "",
  });
  expect(api.calls[0]?.headers["authorization"]).toBe("Bearer secret");
  expect(api.calls[0]?.headers.accept).toContain("as=Table");
});

test("`weft get` shows more on request", async () => {
  api.routes.set(`GET ${PODS}`, { json: TABLE });
  const wide = await run(getCommand, "pods", "-o", "wide", "--show-labels", "--no-headers");
  expect(wide.stdout).toBe(
    "details-v1-abc   2/2   127.65.0.7   app=details\nx                1/2   127.65.0.8   <none>\n",
  );
  api.routes.set("GET /api/v1/pods", { json: TABLE });
  const all = await run(getCommand, "pods", "-A");
  expect(all.stdout).toContain("NAMESPACE   NAME ");
  expect(all.stdout).toContain("default     x ");
});

test("`weft get` names kinds when it prints several", async () => {
  const services = { ...TABLE, rows: [{ cells: ["reviews", "-", ""], object: pod("reviews") }] };
  api.routes.set(`GET ${PODS}`, { json: TABLE });
  api.routes.set("GET /api/v1/namespaces/default/services", { json: services });
  const { stdout } = await run(getCommand, "svc,pods");
  expect(stdout).toBe(
    "NAME              READY\nservice/reviews   -\n\nNAME                 READY\npod/details-v1-abc   2/2\npod/x                1/2\n",
  );
});

test("`weft get` says when there is nothing", async () => {
  api.routes.set(`GET ${PODS}`, { json: { ...TABLE, rows: [] } });
  expect(await run(getCommand, "pods")).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: "No resources found in default namespace.\n",
  });
});

test("`weft get` sends selectors and namespaces along", async () => {
  api.routes.set("GET /api/v1/namespaces/test/pods", { json: TABLE });
  await run(getCommand, "pods", "-n", "test", "-l", "app=x,version!=v1");
  expect(api.calls[0]?.query).toEqual({ labelSelector: "app=x,version!=v1" });
});

test("`weft get -o` prints lists and single objects in every form", async () => {
  api.routes.set(`GET ${PODS}`, { json: { kind: "PodList", items: [pod("a"), pod("b")] } });
  api.routes.set(`GET ${VS}/reviews`, {
    json: { kind: "VirtualService", metadata: { name: "reviews" }, spec: { hosts: ["reviews"] } },
  });
  expect((await run(getCommand, "pods", "-o", "name")).stdout).toBe("pod/a\npod/b\n");
  expect((await run(getCommand, "vs/reviews", "-oname")).stdout).toBe(
    "virtualservice.networking.istio.io/reviews\n",
  );
  const jsonpath = "jsonpath={.items[0].status.hostIP}";
  expect((await run(getCommand, "pods", "-o", jsonpath)).stdout).toBe("127.0.0.1");
  const list = JSON.parse((await run(getCommand, "pods", "-o=json")).stdout) as {
    kind: string;
    items: { kind: string; apiVersion: string }[];
  };
  expect(list.kind).toBe("List");
  expect(list.items[0]).toMatchObject({ kind: "Pod", apiVersion: "v1" });
  expect((await run(getCommand, "vs", "reviews", "-o", "yaml")).stdout).toBe(
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\nspec:\n  hosts:\n  - reviews\n",
  );
});

test("`weft get` prints what it found and fails for what it did not", async () => {
  api.routes.set(`GET ${PODS}/a`, { json: { ...TABLE, rows: TABLE.rows.slice(1) } });
  const result = await run(getCommand, "pod", "a", "missing");
  expect(result.stdout).toBe("NAME   READY\nx      1/2\n");
  expect(result.stderr).toBe('weft: "missing" not found\n');
  expect(result.exitCode).toBe(2);
  expect((await run(getCommand, "pod", "missing", "--ignore-not-found")).exitCode).toBe(0);
});

test.each([
  [["podz"], 'there is no kind "podz", did you mean "pods"?'],
  [["virtualservice", "-o", "jsn"], 'did you mean "json"?'],
  [["pods", "--namespce", "x"], 'unknown flag "--namespce", did you mean "--namespace"?'],
  [["pods", "-o", "jsonpath={..x}"], '".." (recursive descent) is not supported'],
  [["pods", "a", "-A"], "do not go together"],
  [[], "say what"],
  [["pods/a", "b"], '"b" is not KIND/NAME'],
  [["pods", "-n"], "-n needs a value: NS"],
])("`weft get %j` is refused", async (args, message) => {
  const { exitCode, stderr } = await run(getCommand, ...args);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(message);
  expect(api.calls).toEqual([]);
});

test("`weft get -w` goes on with what changes, in the same columns", async () => {
  const change = {
    ...TABLE,
    columnDefinitions: null,
    rows: [{ cells: ["x", "2/2", ""], object: pod("x") }],
  };
  api.routes.set(`GET ${PODS}`, (response, { query }) => {
    if (query["watch"] === undefined) return response.end(JSON.stringify(TABLE));
    response.write(`${JSON.stringify({ type: "MODIFIED", object: change })}\n`);
    return undefined;
  });
  const controller = new AbortController();
  const result = await runCommand(getCommand, ["pods", "-w"], {
    home: api.home,
    signal: controller.signal,
    onStdout: (text) => {
      if (text.split("\n").length === 5) controller.abort();
    },
  });
  expect(result).toEqual({
    exitCode: 0,
    stdout:
      "NAME             READY\ndetails-v1-abc   2/2\nx                1/2\nx                2/2\n",
    stderr: "",
  });
  expect(api.calls[1]?.query).toEqual({ watch: "1", resourceVersion: "7" });
});

test("a command says that no mesh is running", async () => {
  const nowhere = await runCommand(getCommand, ["pods"], { home: "/nowhere" });
  expect(nowhere).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: 'weft: no mesh is running at /nowhere; start one with "weft up"\n',
  });
});

test("`weft label` sets, removes and guards labels", async () => {
  const path = "/api/v1/namespaces/default";
  api.routes.set(`GET ${path}`, { json: { metadata: { name: "default", labels: { a: "1" } } } });
  api.routes.set(`PATCH ${path}`, { json: {} });
  const set = await run(labelCommand, "namespace", "default", "istio-injection=enabled");
  expect(set.stdout).toBe("namespace/default labeled\n");
  expect(api.calls[1]).toMatchObject({
    headers: { "content-type": "application/merge-patch+json" },
    body: { metadata: { labels: { "istio-injection": "enabled" } } },
  });
  expect((await run(labelCommand, "ns/default", "a-")).stdout).toBe(
    "namespace/default unlabeled\n",
  );
  expect((await run(labelCommand, "ns", "default", "a=1")).stdout).toBe(
    "namespace/default not labeled\n",
  );
  const taken = await run(labelCommand, "ns", "default", "a=2");
  expect(taken).toMatchObject({
    exitCode: 2,
    stderr: 'weft: namespace/default: "a" already has a value (1), and --overwrite is false\n',
  });
  expect((await run(labelCommand, "ns", "default", "a=2", "--overwrite")).exitCode).toBe(0);
});

test("`weft scale` sets the number of pods", async () => {
  const path = "/apis/apps/v1/namespaces/default/deployments/reviews-v1/scale";
  api.routes.set(`PATCH ${path}`, { json: {} });
  const scaled = await run(scaleCommand, "deploy/reviews-v1", "--replicas=3");
  expect(scaled.stdout).toBe("deployment.apps/reviews-v1 scaled\n");
  expect(api.calls[0]?.body).toEqual({ spec: { replicas: 3 } });
  const wrong = await run(scaleCommand, "svc/reviews", "--replicas=3");
  expect(wrong.stderr).toContain("services have no replicas to scale");
});

test("`weft logs` finds the pod and the app's container", async () => {
  api.routes.set("GET /apis/apps/v1/namespaces/default/deployments/reviews-v1", {
    json: {
      metadata: { name: "reviews-v1" },
      spec: { selector: { matchLabels: { app: "reviews", version: "v1" } } },
    },
  });
  api.routes.set(`GET ${PODS}`, { json: { items: [pod("r1"), pod("r2")] } });
  api.routes.set(`GET ${PODS}/r1/log`, (response) => response.end("GET /reviews/0 200\nhalf"));
  const result = await run(logsCommand, "deploy/reviews-v1", "--tail=2", "--since=1m", "-f");
  expect(result).toEqual({
    exitCode: 0,
    stdout: "GET /reviews/0 200\nhalf",
    stderr:
      'Found 2 pods, using pod/r1\nDefaulted container "reviews" out of: istio-proxy, reviews\n',
  });
  expect(api.calls[1]?.query).toEqual({ labelSelector: "app=reviews,version=v1" });
  expect(api.calls[2]?.query).toEqual({
    container: "reviews",
    follow: "true",
    sinceSeconds: "60",
    tailLines: "2",
  });
});

test("`weft logs` names the containers there are", async () => {
  api.routes.set(`GET ${PODS}/r1`, { json: pod("r1") });
  const result = await run(logsCommand, "r1", "-c", "nothing");
  expect(result.stderr).toContain('no container "nothing"; it has istio-proxy, reviews');
});
