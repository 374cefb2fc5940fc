/**
 * One request through two apps and four sidecars, one of which is Envoy where there is one, and the
 * spans that a collector of each kind is told. The apps only copy headers.
 */
import { once } from "node:events";
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { OtlpServer } from "../proxy/otlp-server.ts";
import { SpanCollector } from "../proxy/span-collector.ts";
import { BOOKINFO, CLIENT, type MeshWorld, SERVICE_PORT, type Workload } from "./base-mesh.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import type { Echo } from "./echo-app.ts";

const APPS: ReadonlySet<string> = new Set(["productpage", "details", "ratings", CLIENT]);
const FRONT = "productpage";

/** What an application has to copy, whichever tracer there is. */
const COPIED = [
  "x-request-id",
  "traceparent",
  "tracestate",
  ...["traceid", "spanid", "parentspanid", "sampled", "flags"].map((name) => `x-b3-${name}`),
];

/** Asks `ratings` through its own sidecar for the same, and answers when that has answered. */
async function startFront({ podIp, appAddress }: Workload): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const copied = Object.entries(request.headers).filter(([name]) => COPIED.includes(name));
    const headers = Object.fromEntries(copied) as IncomingHttpHeaders;
    const target = `http://ratings:${SERVICE_PORT}${request.url}`;
    const options = { host: podIp, port: 15_002, path: target, agent: false } as const;
    httpRequest({ ...options, headers: { ...headers, host: `ratings:${SERVICE_PORT}` } })
      .on("response", (answer) => {
        answer.resume();
        answer.on("end", () => response.writeHead(answer.statusCode ?? 0).end());
      })
      .on("error", () => response.writeHead(500).end())
      .end();
  });
  server.listen(SERVICE_PORT, appAddress);
  await once(server, "listening");
  return async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
}

const envoy = findProgram("envoy");

function worldOf(config: string): MeshWorld {
  return {
    ...BOOKINFO,
    workloads: (block) =>
      BOOKINFO.workloads(block)
        .filter(({ app }) => APPS.has(app))
        .map((one) => (one.app === FRONT ? { ...one, envoy } : one)),
    config: (block, unready) => `${BOOKINFO.config(block, unready)}\n---\n${config}`,
    startApp: (one) => (one.app === FRONT ? startFront(one) : BOOKINFO.startApp(one)),
  };
}

/** A span of either kind. */
interface Span {
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly kind: string;
  readonly name: string;
  readonly service: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly name: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
}

let mesh: BehaviourMesh;
let zipkin: SpanCollector;
let otlp: OtlpServer;

beforeAll(async () => {
  [zipkin, otlp] = await Promise.all([SpanCollector.start(), OtlpServer.start()]);
});

afterAll(async () => {
  await zipkin?.stop();
  otlp?.stop();
});

const spansOf = {
  zipkin: (): readonly Span[] =>
    (zipkin.spans as unknown as readonly ZipkinSpan[]).map((span) => ({
      ...span,
      parentId: span.parentId,
      service: span.localEndpoint.serviceName,
    })),
  otel: (): readonly Span[] =>
    otlp.spans.map((span) => ({
      ...span,
      id: span.spanId,
      parentId: span.parentSpanId,
      kind: span.kind.replace("SPAN_KIND_", ""),
      tags: span.attributes,
    })),
};

/** Collectors beside the mesh, and a Telemetry of the whole mesh. */
function configured(tracing: string): string {
  const entry = (name: string, port: number, protocol: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: istio-system }
spec:
  hosts: [${name}.collector]
  resolution: STATIC
  ports: [{ number: 9411, name: ${protocol.toLowerCase()}, protocol: ${protocol} }]
  endpoints: [{ address: 127.0.0.1, ports: { ${protocol.toLowerCase()}: ${port} } }]`;
  return [
    entry("zipkin", zipkin.port, "HTTP"),
    entry("otel", otlp.port, "GRPC"),
    `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    extensionProviders:
      - { name: zipkin, zipkin: { service: zipkin.collector, port: 9411 } }
      - { name: otel, opentelemetry: { service: otel.collector, port: 9411 } }
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: mesh-default, namespace: istio-system }
spec: { tracing: [${tracing}] }`,
  ].join("\n---\n");
}

/** The spans that tell of a path, once there are so many. */
async function spansAbout(
  path: string,
  of: () => readonly Span[],
  count: number,
): Promise<readonly Span[]> {
  const find = (): readonly Span[] =>
    of().filter(({ tags }) => (tags["http.url"] ?? "").endsWith(path));
  await until(() => find().length >= count, `${count} spans of ${path}`, 30_000);
  return find();
}

/** Asks a service from the client's pod, over a connection of its own: an old one keeps to what held when it was made. */
async function ask(host: string, path: string): Promise<IncomingHttpHeaders> {
  const client = BOOKINFO.workloads(mesh.block).find(({ app }) => app === CLIENT);
  const target = `http://${host}:${SERVICE_PORT}${path}`;
  const options = { host: client?.podIp, port: 15_002, path: target, agent: false } as const;
  const request = httpRequest({ ...options, headers: { host: `${host}:${SERVICE_PORT}` } });
  request.setTimeout(15_000, () => request.destroy(new Error(`no answer from ${host}`)));
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  expect(response.statusCode).toBe(200);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? {} : (JSON.parse(text) as Echo).headers;
}

let asked = 0;

/** A request through all, by a path of its own. */
async function askThrough(): Promise<string> {
  asked += 1;
  const path = `/traced-${asked}`;
  await ask(FRONT, path);
  return path;
}

/** Whether an app is told that its request is traced. */
async function isSampled(): Promise<boolean> {
  const headers = await ask("ratings", "/");
  return headers["x-b3-sampled"] === "1" || String(headers["traceparent"]).endsWith("-01");
}

const SIDES = [
  ["client.default", "CLIENT"],
  [`${FRONT}.default`, "SERVER"],
  [`${FRONT}.default`, "CLIENT"],
  ["ratings.default", "SERVER"],
] as const;

describe.each(["zipkin", "otel"] as const)("%s", (provider) => {
  const of = spansOf[provider];
  const rate = (percent: number): string =>
    configured(`{ providers: [{ name: ${provider} }], randomSamplingPercentage: ${percent} }`);

  beforeAll(async () => {
    mesh = await BehaviourMesh.start(undefined, worldOf(rate(100)));
  }, 180_000);

  afterAll(() => mesh?.stop());

  test("is told one trace of a request through two apps, each span below the one before", {
    timeout: 120_000,
  }, async () => {
    const spans = await spansAbout(await askThrough(), of, 4);
    const chain = SIDES.map(([service, kind]) =>
      spans.find((span) => span.service === service && span.kind === kind),
    );
    expect(chain.map((span) => span?.tags["istio.canonical_service"])).toEqual([
      "client",
      FRONT,
      FRONT,
      "ratings",
    ]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(chain.map((span) => span?.parentId || undefined)).toEqual([
      undefined,
      ...chain.slice(0, -1).map((span) => span?.id),
    ]);
    expect(chain.map((span) => span?.name)).toEqual([
      `${FRONT}.default.svc.cluster.local:9080/*`,
      `${FRONT}.default.svc.cluster.local:9080/*`,
      "ratings.default.svc.cluster.local:9080/*",
      "ratings.default.svc.cluster.local:9080/*",
    ]);
  });

  test("is told nothing at 0 %, and again when that is taken back", {
    timeout: 120_000,
  }, async () => {
    await mesh.configure(rate(0));
    await until(async () => !(await isSampled()), "the client to trace nothing");
    const silent: string[] = [];
    for (let at = 0; at < 20; at++) silent.push(await askThrough());
    await mesh.configure(rate(100));
    await until(isSampled, "the client to trace again");
    // What was told of those before would have come with them, or earlier.
    await spansAbout(await askThrough(), of, 4);
    const told = of().filter(({ tags }) => silent.some((path) => tags["http.url"]?.endsWith(path)));
    expect(told).toEqual([]);
  });
});
