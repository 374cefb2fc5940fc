import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyCommand } from "../../src/cli/apply.ts";
import type { Command } from "../../src/cli/command.ts";
import { deleteCommand } from "../../src/cli/delete.ts";
import { getCommand } from "../../src/cli/get.ts";
import { labelCommand } from "../../src/cli/label.ts";
import { logsCommand } from "../../src/cli/logs.ts";
import { scaleCommand } from "../../src/cli/scale.ts";
import { referenceIssues } from "../../src/model/mesh-issues.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { type CommandResult, runCommand } from "./fake-api.ts";
import { RealApi } from "./real-api.ts";

const samples = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "samples/bookinfo");
const api = new RealApi();

beforeAll(() =>
  api.start({
    warn: (object) => referenceIssues(object, viewOf([])),
    logs: async function* () {
      yield Buffer.from("a line\n");
    },
  }),
);
afterAll(() => api.stop());

function run(command: Command, args: readonly string[], stdin = ""): Promise<CommandResult> {
  return runCommand(command, args, { home: api.home, stdin });
}

/** Sets what a runtime would set. */
async function runPod(name: string): Promise<void> {
  const pod = `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: ${name}}}\nspec:\n  containers: [{name: app, image: x}, {name: istio-proxy, image: auto}]\n`;
  expect((await run(applyCommand, ["-f", "-"], pod)).stderr).toBe("");
}

// One story, in order: each step stands on the one before.

test("`weft apply` makes Bookinfo's fourteen objects, and finds them unchanged", async () => {
  const file = join(samples, "bookinfo.yaml");
  const created = await run(applyCommand, ["-f", file]);
  expect(created.stderr).toBe("");
  expect(created.stdout).toBe(
    [
      ["service/details", "serviceaccount/bookinfo-details", "deployment.apps/details-v1"],
      ["service/ratings", "serviceaccount/bookinfo-ratings", "deployment.apps/ratings-v1"],
      ["service/reviews", "serviceaccount/bookinfo-reviews", "deployment.apps/reviews-v1"],
      ["deployment.apps/reviews-v2", "deployment.apps/reviews-v3", "service/productpage"],
      ["serviceaccount/bookinfo-productpage", "deployment.apps/productpage-v1"],
    ]
      .flat()
      .map((name) => `${name} created\n`)
      .join(""),
  );
  const again = await run(applyCommand, ["-f", file]);
  expect(again.stdout).toBe(created.stdout.replaceAll("created", "unchanged"));
});

test("`weft apply` configures a VirtualService, and warns of what is missing at its line", async () => {
  const path = (name: string): string => join(samples, `networking/virtual-service-${name}.yaml`);
  const first = await run(applyCommand, ["-f", path("reviews-v3")]);
  expect(first.stdout).toBe("virtualservice.networking.istio.io/reviews created\n");
  expect(first.stderr).toContain(`Warning: ${path("reviews-v3")}:`);
  expect(first.stderr).toMatch(
    /yaml:\d+:\d+: VirtualService\/default\/reviews: spec\.http\[0\]\.route\[0\]\.destination/,
  );
  const second = await run(applyCommand, ["-f", path("reviews-90-10")]);
  expect(second.stdout).toBe("virtualservice.networking.istio.io/reviews configured\n");
  const weights = "jsonpath={.spec.http[0].route[*].weight}";
  expect((await run(getCommand, ["vs", "reviews", "-o", weights])).stdout).toBe("90 10");
  const other = path("reviews-jason-v2-v3");
  await run(applyCommand, ["-f", other]);
  const headers = "jsonpath={.spec.http[*].match[*].headers.end-user.exact}";
  expect((await run(getCommand, ["vs/reviews", "-o", headers])).stdout).toBe("jason");
});

test("`weft get` prints tables of every kind that was made", async () => {
  const services = await run(getCommand, ["svc"]);
  expect(services.stdout.split("\n")[0]).toMatch(
    /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE$/,
  );
  expect(services.stdout).toMatch(/^details +ClusterIP /m);
  const rules = await run(getCommand, ["virtualservices.networking.istio.io", "-A"]);
  expect(rules.stdout).toMatch(
    /^NAMESPACE +NAME +GATEWAYS +HOSTS +AGE\ndefault +reviews +\["reviews"\]/,
  );
  const all = await run(getCommand, ["deploy,sa", "-o", "name", "-l", "app=reviews"]);
  expect(all.stdout).toBe(
    "deployment.apps/reviews-v1\ndeployment.apps/reviews-v2\ndeployment.apps/reviews-v3\n",
  );
  const yaml = await run(getCommand, ["sa", "bookinfo-reviews", "-o", "yaml"]);
  expect(yaml.stdout).toMatch(
    /^apiVersion: v1\nkind: ServiceAccount\nmetadata:\n {2}annotations:\n/,
  );
});

test("`weft label` and `weft scale` change objects", async () => {
  const labelled = await run(labelCommand, ["ns", "default", "istio-injection=enabled"]);
  expect(labelled.stdout).toBe("namespace/default labeled\n");
  const label = "jsonpath={.metadata.labels.istio-injection}";
  expect((await run(getCommand, ["ns", "default", "-o", label])).stdout).toBe("enabled");
  await run(labelCommand, ["ns", "default", "istio-injection-"]);
  expect((await run(getCommand, ["ns", "default", "-o", label])).stdout).toBe("");
  const scaled = await run(scaleCommand, ["deploy/reviews-v1", "--replicas", "3"]);
  expect(scaled.stdout).toBe("deployment.apps/reviews-v1 scaled\n");
  const replicas = "jsonpath={.spec.replicas}";
  expect((await run(getCommand, ["deploy/reviews-v1", "-o", replicas])).stdout).toBe("3");
});

test("`weft logs` prints what a container wrote", async () => {
  await runPod("writer");
  const result = await run(logsCommand, ["writer", "--tail", "5"]);
  expect(result.stdout).toBe("a line\n");
  expect(result.stderr).toBe('Defaulted container "app" out of: app, istio-proxy\n');
});

test("`weft get -w` follows changes", async () => {
  const controller = new AbortController();
  const watching = runCommand(getCommand, ["sa", "-w", "-o", "name"], {
    home: api.home,
    signal: controller.signal,
    onStdout: (text) => {
      if (text.includes("bookinfo-reviews") && !text.includes("late")) void late();
      if (text.includes("late")) controller.abort();
    },
  });
  let isApplied = false;
  const late = async (): Promise<void> => {
    if (isApplied) return;
    isApplied = true;
    await run(
      applyCommand,
      ["-f", "-"],
      "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: late}\n",
    );
  };
  const result = await watching;
  expect(result.exitCode).toBe(0);
  expect(result.stdout).toMatch(/serviceaccount\/late\n$/);
});

test("the API's own refusals come with file and line", async () => {
  const yaml = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: x\n  namespace: nowhere\n";
  const result = await run(applyCommand, ["-f", "-"], yaml);
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toMatch(/^STDIN:\d+:\d+: ServiceAccount\/nowhere\/x: .*nowhere/);
  const missing = await run(getCommand, ["vs", "nothing"]);
  expect(missing.stderr).toBe('weft: virtualservices.networking.istio.io "nothing" not found\n');
});

test("`weft delete -f` takes everything away again", async () => {
  const file = join(samples, "bookinfo.yaml");
  const deleted = await run(deleteCommand, ["-f", file]);
  expect(deleted.stderr).toBe("");
  expect(deleted.stdout).toContain('service "details" deleted\n');
  expect(deleted.stdout).toContain('deployment.apps "productpage-v1" deleted\n');
  expect((await run(getCommand, ["deploy"])).stderr).toBe(
    "No resources found in default namespace.\n",
  );
  const rule = await run(deleteCommand, ["vs", "reviews"]);
  expect(rule.stdout).toBe('virtualservice.networking.istio.io "reviews" deleted\n');
});
