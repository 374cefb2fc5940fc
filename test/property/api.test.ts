import { connect } from "node:tls";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KINDS } from "../../src/config/kinds.ts";
import { createFixture, type Fixture } from "../apiserver/fixture.ts";

const RUNS = 1500;
const ANSWER_MS = 5_000;

/** What is answered without a `Status`, and what with. */
const GOOD = new Set([200, 201]);
const REFUSED = new Set([400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 501]);

let fixture: Fixture;
beforeAll(async () => {
  fixture = await createFixture();
});
afterAll(() => fixture.close());

const word = fc.constantFrom(
  "a",
  "b",
  "default",
  "..",
  "%2e%2e",
  "%00",
  "%zz",
  "a%2Fb",
  "__proto__",
  "constructor",
  "",
  "ü",
  "x".repeat(300),
);
const path = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom(...KINDS),
      namespace: fc.oneof({ weight: 9, arbitrary: fc.constant("default") }, word),
      name: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(undefined, "a", "b") },
        { weight: 1, arbitrary: word },
      ),
      subresource: fc.option(fc.constantFrom("status", "scale", "log", "exec", "finalize", "x"), {
        nil: undefined,
        freq: 4,
      }),
      isOutside: fc.nat(5).map((one) => one === 0),
    })
    .map(({ kind, namespace, name, subresource, isOutside }) => {
      const root = kind.group === "" ? "/api/v1" : `/apis/${kind.group}/${kind.versions[0]}`;
      const room = isOutside || !kind.isNamespaced ? "" : `/namespaces/${namespace}`;
      const rest = name === undefined ? "" : `/${name}`;
      const below = subresource === undefined ? "" : `/${subresource}`;
      return `${root}${room}/${kind.plural}${rest}${below}`;
    }),
  fc
    .array(fc.oneof(word, fc.constantFrom("api", "apis", "v1", "apps", "openapi", "v3", "pods")), {
      maxLength: 7,
    })
    .map((parts) => `/${parts.join("/")}`),
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "1",
    "true",
    "All",
    "abc",
    "99999999999999999999",
    "-1",
    "a=b",
    "a in (",
    "Foreground",
  ),
  fc.string({ maxLength: 20 }),
);
const query = fc.dictionary(
  fc.constantFrom(
    "labelSelector",
    "fieldSelector",
    "resourceVersion",
    "resourceVersionMatch",
    "limit",
    "continue",
    "dryRun",
    "fieldValidation",
    "gracePeriodSeconds",
    "propagationPolicy",
    "orphanDependents",
    "includeObject",
    "tailLines",
    "container",
    "sendInitialEvents",
    "allowWatchBookmarks",
    "pretty",
  ),
  value,
  { maxKeys: 3 },
);
const headers = fc.record(
  {
    accept: fc.constantFrom(
      "*/*",
      "application/json",
      "application/json",
      "application/json",
      "text/html",
      "application/json;as=Table;v=v1;g=meta.k8s.io",
      "application/json;as=PartialObjectMetadata;v=v1",
      "application/json;as=Table;v=v9",
      ",;=",
    ),
    "content-type": fc.constantFrom(
      "application/json",
      "application/json",
      "application/json",
      "application/json",
      "application/merge-patch+json",
      "application/json-patch+json",
      "application/strategic-merge-patch+json",
      "application/apply-patch+yaml",
      "application/yaml",
      "application/vnd.kubernetes.protobuf",
      "text/plain",
      "=;",
    ),
  },
  { requiredKeys: [] },
);
const leaf = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom("a", "default", 80, -1, 1e300),
);
/** Mostly absent, so that enough gets as far as the storage. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const metadata = fc.record({
  name: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("a", "b", "default") }, leaf),
  namespace: rarely(fc.oneof(fc.constantFrom("default", ""), leaf)),
  generateName: rarely(fc.oneof(fc.constant("g-"), leaf)),
  labels: rarely(fc.oneof(fc.dictionary(fc.string(), fc.string()), leaf)),
  annotations: rarely(leaf),
  finalizers: rarely(fc.oneof(fc.constant(["weft/x", "foregroundDeletion"]), leaf)),
  ownerReferences: rarely(leaf),
  uid: rarely(leaf),
  resourceVersion: rarely(fc.oneof(fc.constant("2"), leaf)),
  deletionTimestamp: rarely(leaf),
  generation: rarely(leaf),
  creationTimestamp: rarely(leaf),
});
const pod = { containers: [{ name: "c", image: "i", ports: [{ containerPort: 80 }] }] };
const spec = fc.oneof(
  leaf,
  fc.constantFrom<object>(
    { ports: [{ port: 80, name: "http" }], selector: { app: "a" } },
    {
      replicas: 1,
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: pod },
    },
    { ...pod, nodeName: "weft", terminationGracePeriodSeconds: 9e15 },
    { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }] },
    { host: "a", subsets: [{ name: "v1", labels: { version: "v1" } }] },
  ),
);
const object = fc.record({
  apiVersion: rarely(leaf),
  kind: rarely(leaf),
  metadata: fc.oneof({ weight: 9, arbitrary: metadata }, leaf),
  spec: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: spec }),
  status: rarely(leaf),
  data: rarely(leaf),
  x: rarely(leaf),
});
const operation = fc.record(
  {
    op: fc.constantFrom("add", "replace", "remove", "move", "copy", "test", "x"),
    path: fc.constantFrom(
      "",
      "/",
      "/spec",
      "/metadata/labels/a",
      "/metadata",
      "/metadata/name",
      "/spec/ports/0",
      "/spec/ports/-",
      "/__proto__",
      "x",
    ),
    from: fc.constantFrom("", "/spec", "/metadata", "/x", "x"),
    value: leaf,
  },
  { requiredKeys: ["op", "path"] },
);
const body = fc.oneof(
  fc.constant(""),
  { weight: 8, arbitrary: object.map((one) => JSON.stringify(one)) },
  fc.array(operation, { maxLength: 5 }).map((one) => JSON.stringify(one)),
  fc.json({ maxDepth: 4 }),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => `k8s\0${Buffer.from(bytes).toString("latin1")}`),
  fc.constantFrom(
    "[".repeat(5000),
    '{"a":'.repeat(99),
    "a: *b",
    "&a [*a,*a]",
    "--- 1\n--- 2",
    "\u2028",
  ),
);
const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE");
const anything = fc.record({ method, path, query, headers, body });

const INSIDE = "namespaces/default";
const ISTIO = `/apis/networking.istio.io/v1/${INSIDE}`;
/** Requests that get as far as the storage, with something odd here and there. */
const meant = fc
  .record({
    method: fc.constantFrom("POST", "POST", "PUT", "PATCH", "DELETE", "GET"),
    name: fc.constantFrom("a", "b"),
    kind: fc.constantFrom(
      [`/api/v1/${INSIDE}/configmaps`, {}],
      [`/api/v1/${INSIDE}/services`, { spec: { ports: [{ port: 80 }], selector: { a: "b" } } }],
      [`/api/v1/${INSIDE}/pods`, { spec: { ...pod, nodeName: "weft" } }],
      [
        `/apis/apps/v1/${INSIDE}/deployments`,
        {
          spec: {
            selector: { matchLabels: { a: "b" } },
            template: { metadata: { labels: { a: "b" } }, spec: pod },
          },
        },
      ],
      [
        `${ISTIO}/virtualservices`,
        { spec: { hosts: ["a"], http: [{ route: [{ destination: { host: "a" } }] }] } },
      ],
      [`${ISTIO}/destinationrules`, { spec: { host: "a" } }],
    ),
    odd: metadata,
    subresource: fc.constantFrom("", "", "", "/status", "/scale"),
    query,
    headers,
  })
  .map(({ name, kind: [collection = "", rest], odd, subresource, ...request }) => ({
    ...request,
    path:
      request.method === "POST"
        ? String(collection)
        : `${String(collection)}/${name}${subresource}`,
    body: JSON.stringify({ ...(rest as object), metadata: { ...odd, name } }),
  }));

const inTime = <T>(work: Promise<T>): Promise<T> =>
  Promise.race([
    work,
    new Promise<T>((_, reject) =>
      AbortSignal.timeout(ANSWER_MS).addEventListener("abort", () =>
        reject(new Error("no answer")),
      ),
    ),
  ]);

describe("ApiServer", () => {
  it("answers whatever it is sent, with what was asked or a Status that is no 500", {
    timeout: 120_000,
  }, async () => {
    const request = fc.oneof(anything, meant);
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(request, async (sent) => {
        const search = new URLSearchParams(sent.query).toString();
        const bytes = Buffer.from(sent.body, "latin1").toString("latin1");
        const answer = await inTime(
          fixture.ask(sent.method, `${encodeURI(sent.path).replaceAll("%25", "%")}?${search}`, {
            body: bytes,
            headers: sent.headers as Record<string, string>,
          }),
        );
        seen.add(answer.status);
        if (GOOD.has(answer.status)) return;
        expect(REFUSED).toContain(answer.status);
        if (sent.method === "HEAD") return;
        expect(answer.body).toMatchObject({ kind: "Status", code: answer.status });
      }),
      { numRuns: RUNS },
    );
    expect([...seen]).toEqual(expect.arrayContaining([200, 201, 400, 404, 405, 422]));
    expect((await fixture.ask("GET", "/readyz")).text).toBe("ok");
  });

  it("survives what is not even HTTP", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 100 }), async (text) => {
        const socket = connect({
          port: fixture.port,
          host: "127.0.0.1",
          rejectUnauthorized: false,
        });
        socket.on("error", () => undefined);
        socket.end(`${text}\r\n\r\n`);
        await inTime(new Promise((resolve) => socket.once("close", resolve).resume()));
      }),
      { numRuns: 50 },
    );
    expect((await fixture.ask("GET", "/readyz")).text).toBe("ok");
  });
});
