import { once } from "node:events";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Answer, Fixture } from "./fixture.ts";
import { createFixture } from "./fixture.ts";

const SERVICES = "/api/v1/namespaces/default/services";
const VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "a", labels: { app: "a" } },
  spec: { ports: [{ port: 80, name: "http" }], selector: { app: "a" } },
};
const VIRTUAL_SERVICE = {
  metadata: { name: "a" },
  spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }] },
};
const MERGE = { "content-type": "application/merge-patch+json" };

describe("ApiServer", () => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await createFixture({
      warn: ({ kind }) =>
        kind === "VirtualService"
          ? [{ path: "spec.hosts[0]", message: 'no service "a" – yet', severity: "warning" }]
          : [],
    });
  });
  afterEach(() => fixture.close());

  const post = (body: object, path = SERVICES, query = ""): Promise<Answer> =>
    fixture.ask("POST", `${path}${query}`, { body });

  it("asks for the token, but not about its health", async () => {
    for (const token of ["", "wrong", "the-tokenx"]) {
      const { status, body } = await fixture.ask("GET", "/api", { token });
      expect([status, body["reason"]]).toEqual([401, "Unauthorized"]);
    }
    for (const path of ["/healthz", "/livez", "/readyz"]) {
      expect((await fixture.ask("GET", path, { token: "" })).text).toBe("ok");
    }
    expect((await fixture.ask("GET", "/version", { token: "" })).body).toMatchObject({
      major: "1",
    });
  });

  it("discovers groups and kinds, one by one and all at once", async () => {
    expect((await fixture.ask("GET", "/api")).body["versions"]).toEqual(["v1"]);
    const groups = (await fixture.ask("GET", "/apis")).body["groups"] as { name: string }[];
    expect(groups.map(({ name }) => name)).toEqual([
      "apps",
      "discovery.k8s.io",
      "networking.k8s.io",
      "networking.istio.io",
      "security.istio.io",
      "telemetry.istio.io",
    ]);
    const { body } = await fixture.ask("GET", "/apis/networking.istio.io/v1alpha3");
    expect((body["resources"] as { name: string }[]).map(({ name }) => name)).toContain(
      "virtualservices/status",
    );
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const all = await fixture.ask("GET", "/apis", { headers: { accept } });
    expect(all.headers["content-type"]).toBe(accept);
    expect(all.body["kind"]).toBe("APIGroupDiscoveryList");
  });

  it("says that its OpenAPI documents take `fieldValidation`", async () => {
    const index = (await fixture.ask("GET", "/openapi/v3")).body["paths"] as Record<
      string,
      { serverRelativeURL: string }
    >;
    expect(Object.keys(index)).toContain("apis/networking.istio.io/v1beta1");
    const { body } = await fixture.ask("GET", index["apis/apps/v1"]?.serverRelativeURL ?? "");
    expect(body).toMatchObject({
      paths: {
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}": {
          patch: { parameters: [{ name: "fieldValidation" }] },
        },
      },
      components: { schemas: { "apps.v1.Deployment": { type: "object" } } },
    });
  });

  it("refuses unknown fields, warns of them or drops them, as it is told", async () => {
    const wrong = { ...VIRTUAL_SERVICE, spec: { ...VIRTUAL_SERVICE.spec, hots: ["a"] } };
    const strict = await post(wrong, VIRTUAL_SERVICES);
    expect(strict.status).toBe(422);
    expect(strict.body).toMatchObject({
      kind: "Status",
      reason: "Invalid",
      message:
        'VirtualService.networking.istio.io "a" is invalid: spec.hots: unknown field "hots", did you mean "hosts"?',
      details: { causes: [{ field: "spec.hots", reason: "FieldValueForbidden" }] },
    });
    const warned = await post(wrong, VIRTUAL_SERVICES, "?fieldValidation=Warn");
    expect(warned.status).toBe(201);
    expect(warned.headers["warning"]).toBe(
      '299 - "spec.hots: unknown field \\"hots\\", did you mean \\"hosts\\"?", 299 - "spec.hosts[0]: no service \\"a\\" ? yet"',
    );
    expect(warned.body["spec"]).toEqual(VIRTUAL_SERVICE.spec);
    const { status } = await fixture.ask("PUT", `${VIRTUAL_SERVICES}/a?fieldValidation=Ignore`, {
      body: wrong,
    });
    expect(status).toBe(200);
    expect((await post(wrong, VIRTUAL_SERVICES, "?fieldValidation=Lax")).status).toBe(400);
  });

  it("keeps the spec from the status and the status from the spec", async () => {
    await post(VIRTUAL_SERVICE, VIRTUAL_SERVICES);
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    const body = { ...VIRTUAL_SERVICE, status };
    await fixture.ask("PUT", `${VIRTUAL_SERVICES}/a/status`, { body });
    const put = await fixture.ask("PUT", `${VIRTUAL_SERVICES}/a`, { body: VIRTUAL_SERVICE });
    expect(put.body).toMatchObject({ status, metadata: { generation: 1 } });
  });

  it("answers conflicts and missing things with Kubernetes' reasons", async () => {
    expect((await post(SERVICE)).status).toBe(201);
    const cases: readonly [Promise<Answer>, number, string][] = [
      [post(SERVICE), 409, 'services "a" already exists'],
      [fixture.ask("GET", `${SERVICES}/b`), 404, 'services "b" not found'],
      [fixture.ask("GET", "/api/v1/servces"), 404, 'did you mean "services"?'],
      [fixture.ask("GET", "/apis/nothing.io/v1/things"), 404, "could not find"],
      [post(SERVICE, "/api/v1/namespaces/x/services"), 404, 'namespaces "x" not found'],
      [
        post({ ...SERVICE, metadata: { name: "b", namespace: "x" } }),
        400,
        "does not match the namespace",
      ],
      [post({ ...SERVICE, kind: "Pod" }), 400, 'expected Service in "v1"'],
      [fixture.ask("POST", "/api/v1/services", { body: SERVICE }), 405, "name a namespace"],
      [fixture.ask("DELETE", "/api/v1/services/a/b/c"), 404, "could not find"],
      [
        fixture.ask("PUT", `${SERVICES}/a`, {
          body: { ...SERVICE, metadata: { name: "a", resourceVersion: "1" } },
        }),
        409,
        "has been changed meanwhile",
      ],
      [fixture.ask("GET", `${SERVICES}?continue=x`), 410, "no pages"],
      [fixture.ask("GET", `${SERVICES}?labelSelector=a==b==c`), 400, "label selector"],
      [fixture.ask("GET", `${SERVICES}?fieldSelector=spec.x=1`), 400, "field label not supported"],
      [fixture.ask("POST", SERVICES, { body: "{" }), 400, "not JSON"],
      [fixture.ask("POST", SERVICES), 400, "the body is empty"],
      [
        fixture.ask("POST", SERVICES, { body: "x", headers: { "content-type": "text/plain" } }),
        415,
        '"text/plain" is not supported',
      ],
      [fixture.ask("POST", SERVICES, { body: "[".repeat(1000) }), 400, "nested deeper"],
      [fixture.ask("POST", SERVICES, { body: " ".repeat(4_000_000) }), 413, "at most"],
      [fixture.ask("GET", "/api/v1/namespaces/%2e%2e/services"), 400, "not allowed"],
      [fixture.ask("GET", "/api/v1/namespaces/%zz/services"), 400, "not valid"],
      [fixture.ask("GET", SERVICES, { headers: { accept: "text/html" } }), 406, "only"],
      [post(SERVICE, SERVICES, "?dryRun=Some"), 400, "dryRun must be All"],
    ];
    for (const [answer, code, message] of cases) {
      const { status, body } = await answer;
      expect({ status, message: body["message"] }).toEqual({
        status: code,
        message: expect.stringContaining(message),
      });
    }
  });

  it("patches in three ways", async () => {
    await post(SERVICE);
    const patch = async (type: string, body: object): Promise<unknown> => {
      const headers = { "content-type": `application/${type}` };
      const answer = await fixture.ask("PATCH", `${SERVICES}/a`, { body, headers });
      return answer.status === 200 ? answer.body["spec"] : answer.body["message"];
    };
    expect(await patch("merge-patch+json", { spec: { selector: { app: null, b: "c" } } })).toEqual(
      expect.objectContaining({ selector: { b: "c" } }),
    );
    const add = { op: "add", path: "/spec/selector/x", value: "y" };
    expect(await patch("json-patch+json", [add])).toEqual(
      expect.objectContaining({ selector: { b: "c", x: "y" } }),
    );
    expect(await patch("json-patch+json", [{ ...add, op: "test", value: "z" }])).toMatch(
      /operation 0: test failed/,
    );
    const ports = [{ port: 443, name: "https" }];
    expect(await patch("strategic-merge-patch+json", { spec: { ports } })).toMatchObject({
      ports: [
        { port: 80, name: "http" },
        { port: 443, targetPort: 443 },
      ],
    });
    const gone = [{ port: 80, $patch: "delete" }];
    expect(await patch("strategic-merge-patch+json", { spec: { ports: gone } })).toMatchObject({
      ports: [{ port: 443 }],
    });
    expect(await patch("apply-patch+yaml", {})).toMatch(/server-side apply is not supported yet/);
  });

  it("says what would come of it, and keeps nothing", async () => {
    await post(SERVICE);
    const before = fixture.storage.list({ group: "", kind: "Service" });
    const created = await post({ ...SERVICE, metadata: { name: "b" } }, SERVICES, "?dryRun=All");
    expect([created.status, typeof created.body["metadata"]]).toEqual([201, "object"]);
    const patched = await fixture.ask("PATCH", `${SERVICES}/a?dryRun=All`, {
      body: { spec: { selector: { x: "y" } } },
      headers: MERGE,
    });
    expect(patched.body).toMatchObject({
      spec: { selector: { x: "y" } },
      metadata: { generation: 2 },
    });
    await fixture.ask("DELETE", `${SERVICES}/a`, { body: { dryRun: ["All"] } });
    await fixture.ask("DELETE", "/api/v1/namespaces/spare?dryRun=All");
    expect(fixture.storage.list({ group: "", kind: "Service" })).toEqual(before);
  });

  it("deletes collections, by selector", async () => {
    await post(SERVICE);
    await post({ ...SERVICE, metadata: { name: "b" } });
    const { body } = await fixture.ask("DELETE", `${SERVICES}?labelSelector=app%3Da`);
    expect(body["kind"]).toBe("ServiceList");
    expect(fixture.storage.list({ group: "", kind: "Service" }).items).toHaveLength(1);
  });

  it.each(["/default", "/kube-system", ""])("does not delete namespaces%s", async (name) => {
    await fixture.ask("POST", "/api/v1/namespaces", {
      body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } },
    });
    const refused = await fixture.ask("DELETE", `/api/v1/namespaces${name}`);
    expect(refused.status).toBe(403);
    expect(refused.body["message"]).toMatch(
      /namespaces "(default|kube-system)" is forbidden: this namespace may not be deleted/,
    );
    expect(fixture.storage.list({ group: "", kind: "Namespace" }).items).toHaveLength(2);
  });

  it("streams changes as a selector sees them", async () => {
    await post(SERVICE);
    const watching = fixture.ask(
      "GET",
      `${SERVICES}?watch=1&labelSelector=app%3Da&timeoutSeconds=1`,
    );
    await post({ ...SERVICE, metadata: { name: "b" } });
    const label = (app: string): object => ({
      body: { metadata: { labels: { app } } },
      headers: MERGE,
    });
    await fixture.ask("PATCH", `${SERVICES}/b`, label("a"));
    await fixture.ask("PATCH", `${SERVICES}/a`, label("x"));
    await fixture.ask("DELETE", `${SERVICES}/b`);
    const lines = (await watching).text.trim().split("\n");
    const events = lines.map(
      (line) => JSON.parse(line) as { type: string; object: { metadata: { name: string } } },
    );
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      "ADDED a",
      "ADDED b",
      "DELETED a",
      "DELETED b",
    ]);
    const revision = fixture.storage.list({ group: "", kind: "Service" }).revision;
    const old = await fixture.ask("GET", `${SERVICES}?watch=1&resourceVersion=${revision + 5}`);
    expect([old.status, old.body["reason"]]).toEqual([410, "Expired"]);
    const initial = await fixture.ask("GET", `${SERVICES}?watch=1&sendInitialEvents=true`);
    expect([initial.status, initial.body["reason"]]).toEqual([422, "Invalid"]);
  });

  it("ends watches when it stops", async () => {
    const watching = fixture.ask("GET", `${SERVICES}?watch=1`);
    await post(SERVICE);
    await fixture.server.stop();
    await watching.catch(() => undefined);
    await expect(fixture.ask("GET", "/healthz")).rejects.toThrow(/ECONNREFUSED/);
  });

  it("answers an upgrade with what is not there", async () => {
    const socket = connect({ port: fixture.port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    socket.write(
      "GET /api/v1/namespaces/default/pods/a/exec HTTP/1.1\r\nhost: x\r\nauthorization: Bearer the-token\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 501 NotImplemented\r\n/);
    expect(text).toContain("exec, attach and port-forward are not supported yet");
  });

  it("stops while a client keeps a refused upgrade open", async () => {
    const { port } = fixture;
    const halfOpen = { port, host: "127.0.0.1", rejectUnauthorized: false, allowHalfOpen: true };
    const socket = connect(halfOpen);
    await once(socket, "secureConnect");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: spdy\r\n\r\n");
    await once(socket, "data");
    await expect(fixture.server.stop()).resolves.toBeUndefined();
    socket.destroy();
  });

  it("refuses what a watch cannot be before it begins, and lives on", async () => {
    const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const { revision } = fixture.storage.list({ group: "", kind: "Service" });
    for (const query of [`resourceVersion=${revision}&includeObject=all`, "timeoutSeconds=long"]) {
      const { status, body } = await fixture.ask("GET", `${SERVICES}?watch=true&${query}`, {
        headers: table,
      });
      expect([status, body["reason"]]).toEqual([400, "BadRequest"]);
    }
    expect((await fixture.ask("HEAD", `${SERVICES}?watch=true`)).status).toBe(200);
  });

  it("creates nothing when it could not say so", async () => {
    const headers = { accept: "text/html" };
    const { status } = await fixture.ask("POST", SERVICES, { body: SERVICE, headers });
    expect(status).toBe(406);
    expect(fixture.storage.list({ group: "", kind: "Service" }).items).toEqual([]);
  });

  it("answers a removal whose conditions do not hold with a conflict, also of many", async () => {
    await post(SERVICE);
    const body = { preconditions: { uid: "another" } };
    for (const path of [SERVICES, `${SERVICES}/a`]) {
      expect((await fixture.ask("DELETE", path, { body })).body["reason"]).toBe("Conflict");
    }
  });

  it("refuses a patch whose copies explode", async () => {
    await post(SERVICE);
    const doublings = Array.from({ length: 60 }, () => [
      { op: "copy", from: "/x", path: "/x/a" },
      { op: "copy", from: "/x", path: "/x/b" },
    ]);
    const add = { op: "add", path: "/x", value: {} };
    const body = JSON.stringify([add, ...doublings.flat(), { op: "test", path: "/x", value: 1 }]);
    const headers = { "content-type": "application/json-patch+json" };
    const answer = await fixture.ask("PATCH", `${SERVICES}/a`, { body, headers });
    expect(answer.status).toBe(400);
    expect(answer.body["message"]).toContain("the copies of a JSON patch must have at most");
  });
});
