import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { applyCommand } from "../../src/cli/apply.ts";
import type { Command } from "../../src/cli/command.ts";
import { deleteCommand } from "../../src/cli/delete.ts";
import { type CommandResult, FakeApi, runCommand } from "./fake-api.ts";

const api = new FakeApi();
const folder = mkdtempSync(join(tmpdir(), "weft-apply-"));
const ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts";
const VS = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

beforeAll(() => api.start());
afterEach(() => api.reset());
afterAll(async () => {
  await api.stop();
  rmSync(folder, { recursive: true });
});

function run(command: Command, args: readonly string[], stdin = ""): Promise<CommandResult> {
  return runCommand(command, args, { home: api.home, stdin });
}

function account(name: string, more = ""): string {
  return `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n${more}`;
}

function virtualService(name: string, http: string): string {
  return `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: ${name}\nspec:\n  hosts: [${name}]\n  http:\n${http}`;
}

const ROUTE = "  - route:\n    - destination:\n        host: reviews\n";

test("`weft apply` creates what is not there, with what was applied noted on it", async () => {
  api.routes.set(`POST ${VS}`, { json: {} });
  const result = await run(applyCommand, ["-f", "-"], virtualService("reviews", ROUTE));
  expect(result).toEqual({
    exitCode: 0,
    stdout: "virtualservice.networking.istio.io/reviews created\n",
    stderr: "",
  });
  const sent = api.calls[1]?.body as {
    metadata: { namespace: string; annotations: Record<string, string> };
  };
  expect(sent.metadata.namespace).toBe("default");
  expect(JSON.parse(sent.metadata.annotations[LAST_APPLIED] ?? "")).toMatchObject({
    kind: "VirtualService",
    metadata: { name: "reviews", namespace: "default", annotations: {} },
  });
});

test("`weft apply` changes what is there, and says when nothing changed", async () => {
  let stored: { metadata: Record<string, unknown> } | undefined;
  api.routes.set(`POST ${ACCOUNTS}`, (response, { body }) => {
    stored = body as { metadata: Record<string, unknown> };
    stored.metadata["resourceVersion"] = "1";
    stored.metadata["uid"] = "u";
    response.end(JSON.stringify(stored));
  });
  await run(applyCommand, ["-f", "-"], account("a", "  labels: {x: '1', y: '1'}\n"));
  expect(stored).toBeDefined();
  api.routes.set(`GET ${ACCOUNTS}/a`, { json: stored });
  const same = await run(applyCommand, ["-f", "-"], account("a", "  labels: {x: '1', y: '1'}\n"));
  expect(same.stdout).toBe("serviceaccount/a unchanged\n");
  api.calls.length = 0;
  api.routes.set(`PUT ${ACCOUNTS}/a`, { json: { metadata: { resourceVersion: "2" } } });
  const changed = await run(applyCommand, ["-f", "-"], account("a", "  labels: {x: '2'}\n"));
  expect(changed.stdout).toBe("serviceaccount/a configured\n");
  expect(api.calls[1]?.body).toMatchObject({
    metadata: { uid: "u", resourceVersion: "1", labels: { x: "2" } },
  });
});

test("`weft apply` reads an object again that somebody else changed in between", async () => {
  let version = 1;
  api.routes.set(`GET ${ACCOUNTS}/a`, (response) => {
    response.end(JSON.stringify({ metadata: { name: "a", resourceVersion: String(version) } }));
  });
  api.routes.set(`PUT ${ACCOUNTS}/a`, (response) => {
    version += 1;
    if (version < 3) response.writeHead(409);
    response.end(JSON.stringify({ message: "conflict", metadata: { resourceVersion: "9" } }));
  });
  const result = await run(applyCommand, ["-f", "-"], account("a"));
  expect(result.stdout).toBe("serviceaccount/a configured\n");
  expect(api.calls.map(({ method }) => method)).toEqual(["GET", "PUT", "GET", "PUT"]);
});

test("`weft apply` applies what is good and says what is not, by file and line", async () => {
  const broken = join(folder, "broken.yaml");
  writeFileSync(
    broken,
    [
      account("good"),
      virtualService("reviews", "  - rout:\n    - destination: {host: reviews}\n"),
      "apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: x}\n",
      `${account("one")}${account("two")}`,
      "a: [\n",
    ].join("---\n"),
  );
  api.routes.set(`POST ${ACCOUNTS}`, { json: {} });
  const result = await run(applyCommand, ["-f", broken]);
  expect(result.exitCode).toBe(2);
  expect(result.stdout).toBe("serviceaccount/good created\n");
  const lines = result.stderr.trimEnd().split("\n");
  expect(lines[0]).toBe(
    `${broken}:13:5: VirtualService/default/reviews: spec.http[0].rout: unknown field "rout", did you mean "route"?`,
  );
  expect(result.stderr).toContain(
    `${broken}:17:1: VirtualServce/x: kind: unknown kind "VirtualServce"`,
  );
  expect(result.stderr).toContain('did you mean "VirtualService"?');
  expect(result.stderr).toContain(
    'duplicate key "apiVersion", first on line 20, a "---" line is probably missing',
  );
  expect(lines.some((line) => line.startsWith(`${broken}:30:`))).toBe(true);
});

test.each([
  ["security.istio.io/v1", "AuthorizationPolicy", "2:1"],
  ["security.istio.io/v1", "RequestAuthentication", "2:1"],
  ["networking.istio.io/v1alpha3", "EnvoyFilter", "2:1"],
  ["extensions.istio.io/v1alpha1", "WasmPlugin", "1:1"],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", "1:1"],
])("`weft apply` refuses %s %s, which nothing would follow", async (apiVersion, kind, at) => {
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x, namespace: default}\n---\n`;
  api.routes.set(`POST ${ACCOUNTS}`, { json: {} });
  const { exitCode, stdout, stderr } = await run(applyCommand, ["-f", "-"], text + account("a"));
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "serviceaccount/a created\n" });
  expect(stderr).toContain(`:${at}: ${kind}/default/x: `);
  const said = `kind "${kind}" of ${apiVersion} is not supported yet by this version of weft\n`;
  expect(stderr).toContain(said);
  expect(api.calls.map(({ body }) => (body as { kind?: string } | undefined)?.kind)).not.toContain(
    kind,
  );
});

test("`weft apply` puts the API's refusals and warnings at their lines", async () => {
  api.routes.set(`POST ${VS}`, {
    json: {},
    headers: {
      warning:
        '299 - "VirtualService/default/reviews: spec.http[0].route[0].destination.host: no host \\"reviews\\" yet"',
    },
  });
  const warned = await run(applyCommand, ["-f", "-"], virtualService("reviews", ROUTE));
  expect(warned.exitCode).toBe(0);
  expect(warned.stderr).toBe(
    'Warning: STDIN:10:9: VirtualService/default/reviews: spec.http[0].route[0].destination.host: no host "reviews" yet\n',
  );
  const causes = [{ field: "spec.hosts", message: "is taken" }];
  api.routes.set(`POST ${VS}`, {
    status: 422,
    json: { reason: "Invalid", message: "invalid", details: { causes } },
  });
  const refused = await run(applyCommand, ["-f", "-"], virtualService("reviews", ROUTE));
  expect(refused).toEqual({
    exitCode: 2,
    stdout: "",
    stderr: "STDIN:6:3: VirtualService/default/reviews: spec.hosts: is taken\n",
  });
});

test("`weft apply` names files that are no text, and takes the others", async () => {
  const root = join(folder, "mixed");
  mkdirSync(root);
  writeFileSync(join(root, "a.yaml"), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]));
  writeFileSync(join(root, "b.yaml"), `\ufeff${account("b")}`, "utf16le");
  writeFileSync(join(root, "c.yaml"), Buffer.alloc(16 * 1024 * 1024 + 1, "a"));
  writeFileSync(join(root, "d.yaml"), `\ufeff${account("d").replaceAll("\n", "\r\n")}`);
  api.routes.set(`POST ${ACCOUNTS}`, { json: {} });
  const result = await run(applyCommand, ["-f", root]);
  expect(result.exitCode).toBe(2);
  expect(result.stdout).toBe("serviceaccount/d created\n");
  expect(result.stderr.trimEnd().split("\n")).toEqual([
    `${join(root, "a.yaml")}:1:1: is not text in UTF-8`,
    `${join(root, "b.yaml")}:1:1: is UTF-16: save it as UTF-8`,
    `${join(root, "c.yaml")}:1:1: is larger than 16777216 bytes`,
  ]);
});

test("`weft apply` takes folders in order, deep ones on request, and labels", async () => {
  const root = join(folder, "tree");
  mkdirSync(join(root, "deep"), { recursive: true });
  writeFileSync(join(root, "b.yaml"), account("b", "  labels: {app: x}\n"));
  writeFileSync(join(root, "a.yml"), account("a"));
  writeFileSync(join(root, "notes.txt"), "not: [yaml");
  writeFileSync(
    join(root, "deep", "c.json"),
    '{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"c"}}',
  );
  api.routes.set(`POST ${ACCOUNTS}`, { json: {} });
  const names = async (...args: string[]): Promise<string> =>
    (await run(applyCommand, ["-f", root, ...args])).stdout.replaceAll("serviceaccount/", "");
  expect(await names()).toBe("a created\nb created\n");
  expect(await names("-R")).toBe("a created\nb created\nc created\n");
  expect(await names("-l", "app in (x,y)")).toBe("b created\n");
});

test("`weft apply --dry-run` changes nothing", async () => {
  api.routes.set(`POST ${ACCOUNTS}`, { json: {} });
  const client = await run(applyCommand, ["-f", "-", "--dry-run=client"], account("a"));
  expect(client.stdout).toBe("serviceaccount/a created (dry run)\n");
  expect(api.calls.map(({ method }) => method)).toEqual(["GET"]);
  const server = await run(applyCommand, ["-f", "-", "--dry-run=server"], account("a"));
  expect(server.stdout).toBe("serviceaccount/a created (server dry run)\n");
  expect(api.calls.at(-1)?.query).toEqual({ fieldValidation: "Strict", dryRun: "All" });
});

test.each([
  [["-f", "https://example.com/x.yaml"], "weft reads files only; fetch it first: curl -fsSL"],
  [["-f", "/nowhere.yaml"], "no such file: /nowhere.yaml"],
  [["x.yaml"], "weft apply -f x.yaml"],
  [[], "say from where"],
  [["-f", "-", "--dry-run=yes"], "none, client or server"],
  [["-f", "-", "--server-side"], 'unknown flag "--server-side"'],
  [["-f", "-"], "no objects to apply in -"],
  [["-f", "-", "-l", "a in b"], '"a in b" is no requirement'],
])("`weft apply %j` is refused", async (args, message) => {
  const result = await run(applyCommand, args);
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toContain(message);
});

test("`weft apply -n` guards objects of other namespaces", async () => {
  const result = await run(
    applyCommand,
    ["-n", "test", "-f", "-"],
    account("a", "  namespace: other\n"),
  );
  expect(result).toEqual({
    exitCode: 2,
    stdout: "",
    stderr:
      'STDIN:5:3: ServiceAccount/other/a: metadata.namespace: is "other", and --namespace says "test"\n',
  });
});

test("`weft delete` deletes by name, waits, and says what was not there", async () => {
  let isGone = false;
  api.routes.set(`DELETE ${VS}/reviews`, { json: { details: { uid: "u" } } });
  api.routes.set(`GET ${VS}/reviews`, (response) => {
    if (isGone) response.writeHead(404);
    response.end(JSON.stringify({ metadata: { name: "reviews", uid: "u" } }));
    isGone = true;
  });
  const result = await run(deleteCommand, ["vs", "reviews", "missing"]);
  expect(result).toEqual({
    exitCode: 2,
    stdout: 'virtualservice.networking.istio.io "reviews" deleted\n',
    stderr: 'weft: "missing" not found\n',
  });
  expect(api.calls.filter(({ method }) => method === "GET")).toHaveLength(2);
  const lenient = await run(deleteCommand, ["vs/missing", "--ignore-not-found"]);
  expect(lenient.exitCode).toBe(0);
});

test("`weft delete` takes files, labels and all, but never everything by accident", async () => {
  api.routes.set(`DELETE ${ACCOUNTS}/a`, { json: {} });
  const files = await run(deleteCommand, ["-f", "-", "--wait=false"], account("a"));
  expect(files.stdout).toBe('serviceaccount "a" deleted\n');
  api.routes.set(`GET ${ACCOUNTS}`, { json: { items: [{ metadata: { name: "a" } }] } });
  const labelled = await run(deleteCommand, ["sa", "-l", "app=x", "--wait=false"]);
  expect(labelled.stdout).toBe('serviceaccount "a" deleted\n');
  const bare = await run(deleteCommand, ["sa"]);
  expect(bare.stderr).toContain("delete which serviceaccounts? give names, -l SELECTOR or --all");
});

test("`weft delete` ends with 124 when an object stays", async () => {
  api.routes.set(`DELETE ${ACCOUNTS}/a`, { json: { metadata: { uid: "u" } } });
  api.routes.set(`GET ${ACCOUNTS}/a`, { json: { metadata: { uid: "u" } } });
  const result = await run(deleteCommand, ["sa", "a", "--timeout", "0"]);
  expect(result.exitCode).toBe(124);
  expect(result.stderr).toContain('serviceaccount "a" is still stopping');
});
