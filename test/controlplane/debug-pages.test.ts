import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { findProgram } from "../programs.ts";
import { AdsClient } from "./ads-client.ts";
import { MemorySource } from "./memory-source.ts";
import { appYaml, routeYaml } from "./mesh-folder.ts";
import { until } from "./until.ts";

const NODE = "sidecar~127.66.0.9~client.default~default.svc.cluster.local";
const HOST = "reviews.default.svc.cluster.local";
const CLUSTER = `outbound|9080||${HOST}`;
const MORE = `---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: default}
spec: {selector: {app: empty}, ports: [{name: tcp-db, port: 3306}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: younger, namespace: default, creationTimestamp: "2030-01-01T00:00:00Z"}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: default}
stringData: {password: do-not-show-me}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "connectTimeout: 3s"}
`;

let controlPlane: ControlPlane;
let source: MemorySource;
let client: AdsClient;

beforeEach(async () => {
  source = new MemorySource(
    `${appYaml({ v1: "127.66.0.1", v2: "127.66.0.2", port: 9080 })}---\n${routeYaml("v1")}${MORE}`,
  );
  controlPlane = new ControlPlane({
    source,
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    monitoringAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: nodePrng,
    log: silentLogger,
  });
  await controlPlane.start();
  client = new AdsClient(controlPlane.ports.grpc);
  const metadata = {
    INTERCEPTION_MODE: "NONE",
    CLUSTER_ID: "Kubernetes",
    NAMESPACE: "default",
    ISTIO_VERSION: "1.31.0",
  };
  client.send({ typeUrl: RESOURCE_TYPE_URL.cluster, node: { id: NODE, metadata } });
  await acknowledge("cluster", []);
  client.ask("endpoint", [CLUSTER]);
  await acknowledge("endpoint", [CLUSTER]);
  client.ask("route", ["http_proxy"]);
  const { typeUrl, nonce } = await client.response("route");
  const errorDetail = { code: 13, message: "http_proxy: I will not" };
  client.send({ typeUrl, resourceNames: ["http_proxy"], responseNonce: nonce, errorDetail });
  await until(
    () => controlPlane.metrics.value("pilot_total_xds_rejects", { type: "rds" }) === 1,
    "the NACK",
  );
});

afterEach(async () => {
  client.close();
  await controlPlane.stop();
});

async function acknowledge(kind: "cluster" | "endpoint", resourceNames: string[]): Promise<void> {
  const { typeUrl, versionInfo, nonce } = await client.response(kind);
  client.send({ typeUrl, resourceNames, versionInfo, responseNonce: nonce });
}

const url = (path: string): string => `http://127.0.0.1:${controlPlane.ports.monitoring}${path}`;

async function json<T = unknown>(path: string): Promise<T> {
  const response = await fetch(url(path));
  expect(response.headers.get("content-type")).toBe("application/json");
  return (await response.json()) as T;
}

async function text(path: string): Promise<[number, string]> {
  const response = await fetch(url(path));
  return [response.status, await response.text()];
}

describe("debug pages", () => {
  test("are the same on both addresses, and list themselves", async () => {
    const { http, monitoring } = controlPlane.ports;
    expect(http).not.toBe(monitoring);
    const names = await json<string[]>("/debug/list");
    expect(await (await fetch(`http://127.0.0.1:${http}/debug/list`)).json()).toEqual(names);
    const [, index] = await text("/debug");
    for (const name of names) expect(index).toContain(`href="/debug/${name}"`);
    expect(await text("/ready")).toEqual([200, "ready\n"]);
    expect((await text("/version"))[1]).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("show no secret, whichever it is", async () => {
    const pages = await json<string[]>("/debug/list");
    for (const page of pages) {
      const [status, body] = await text(
        `/debug/${page}?proxyID=client.default&object=/Secret/default/token`,
      );
      expect([page, status]).toEqual([page, 200]);
      expect(body).not.toContain("do-not-show-me");
    }
  });

  test("/debug/syncz has istiod's fields", async () => {
    const [row] = await json<Record<string, unknown>[]>("/debug/syncz");
    expect(row).toMatchObject({
      cluster_id: "Kubernetes",
      proxy: "client.default",
      proxy_type: "sidecar",
      istio_version: "1.31.0",
      cluster_sent: expect.stringMatching(/./),
      resources: {
        [RESOURCE_TYPE_URL.cluster]: { sentTime: expect.stringMatching(/^\d{4}-/) },
        [RESOURCE_TYPE_URL.route]: { lastError: "http_proxy: I will not" },
      },
    });
    expect(row?.["cluster_acked"]).toBe(row?.["cluster_sent"]);
    expect(row?.["route_acked"]).not.toBe(row?.["route_sent"]);
    expect(await json("/debug/syncz?namespace=other")).toEqual([]);
  });

  test("/debug/adsz and /debug/connections tell who is connected, and what each asks for", async () => {
    interface Clients {
      readonly clients: readonly { readonly connectionId: string }[];
    }
    const ads = await json<Clients>("/debug/adsz");
    expect(ads).toMatchObject({
      totalClients: 1,
      clients: [
        {
          address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
          metadata: { ISTIO_VERSION: "1.31.0" },
          watches: {
            [RESOURCE_TYPE_URL.cluster]: [],
            [RESOURCE_TYPE_URL.endpoint]: [CLUSTER],
            [RESOURCE_TYPE_URL.route]: ["http_proxy"],
          },
        },
      ],
    });
    const { clients } = await json<Clients>("/debug/adsz?proxyID=client.default");
    expect(clients).toEqual(ads.clients);
    const connections = await json<Clients>("/debug/connections");
    expect(connections.clients[0]?.connectionId).toBe(ads.clients[0]?.connectionId);
    expect((await text("/debug/adsz?push=true"))[0]).toBe(405);
  });

  test("POST /debug/adsz?push=true looks at every proxy again", async () => {
    const response = await fetch(url("/debug/adsz?push=true"), { method: "POST" });
    expect([response.status, await response.text()]).toEqual([
      200,
      expect.stringContaining("1 proxies"),
    ]);
    expect((await fetch(url("/debug/adsz"), { method: "POST" })).status).toBe(400);
  });

  test("/debug/registryz, endpointz and endpointShardz have istiod's fields", async () => {
    const services = await json<{ hostname: string }[]>("/debug/registryz");
    expect(services.find(({ hostname }) => hostname === HOST)).toMatchObject({
      Attributes: { ServiceRegistry: "Kubernetes", Name: "reviews", Namespace: "default" },
      ports: [{ port: 9080, protocol: "HTTP" }],
      Resolution: 0,
      MeshExternal: false,
    });
    const ports = await json<{ svc: string }[]>("/debug/endpointz");
    expect(ports.find(({ svc }) => svc.startsWith(HOST))).toMatchObject({
      ep: [
        { endpoint: { Addresses: ["127.66.0.1"] } },
        { endpoint: { Addresses: ["127.66.0.2"] } },
      ],
    });
    const [, brief] = await text("/debug/endpointz?brief");
    expect(brief.split("\n")[0]).toMatch(
      /^reviews\.default\.svc\.cluster\.local:http 127\.66\.0\.1:9080 map\[/,
    );
    const endpoint = { Addresses: ["127.66.0.1"], EndpointPort: 9080, HealthStatus: 1 };
    expect(await json("/debug/endpointShardz")).toMatchObject({
      [HOST]: { default: { Shards: { "Kubernetes/Kubernetes": [endpoint, {}] } } },
    });
  });

  test("/debug/config_dump, edsz, sidecarz and instancesz are about one proxy", async () => {
    const dump = await json("/debug/config_dump?proxyID=client.default&include_eds");
    const type = (name: string): string => `type.googleapis.com/envoy.admin.v3.${name}`;
    expect(dump).toMatchObject({
      configs: [
        { "@type": type("ClustersConfigDump") },
        { "@type": type("EndpointsConfigDump"), dynamic_endpoint_configs: [{}] },
        // Only what it asked for.
        { "@type": type("ListenersConfigDump"), dynamic_listeners: [] },
        {
          "@type": type("RoutesConfigDump"),
          dynamic_route_configs: [{ route_config: { name: "http_proxy" } }],
        },
      ],
    });
    const eds = await json("/debug/edsz?proxyID=client.default");
    expect(eds).toMatchObject({ configs: [{ cluster_name: CLUSTER }] });
    expect(await json("/debug/config_dump?proxyID=client.default&types=eds")).toEqual(eds);
    expect((await text("/debug/config_dump?proxyID=client.default&types=xds"))[0]).toBe(400);
    const sidecar = "/debug/sidecarz?proxyID=client.default";
    const { services } = await json<{ services: { hostname: string }[] }>(sidecar);
    expect(services.map(({ hostname }) => hostname)).toContain(HOST);
    expect(await json("/debug/instancesz")).toEqual({ "client.default": [] });
    expect((await text("/debug/edsz"))[0]).toBe(400);
    expect((await text("/debug/edsz?proxyID=nobody"))[0]).toBe(404);
  });

  test("/debug/configz, resourcesz and mesh show configuration", async () => {
    const objects = await json<{ kind: string }[]>("/debug/configz");
    expect(new Set(objects.map(({ kind }) => kind))).toEqual(
      new Set(["DestinationRule", "VirtualService"]),
    );
    expect(await json("/debug/resourcesz")).toContainEqual({
      Group: "networking.istio.io",
      Version: "v1",
      Kind: "Sidecar",
    });
    expect(await json("/debug/mesh")).toMatchObject({
      connectTimeout: "3s",
      trustDomain: "cluster.local",
    });
  });

  test("/debug/push_status names what is not as it should be", async () => {
    expect(await json("/debug/push_status")).toMatchObject({
      pilot_eds_no_instances: { "outbound|3306||empty.default.svc.cluster.local": {} },
      pilot_no_ip: { "client.default": { proxy: "client.default" } },
      pilot_vservice_dup_domain: { [HOST]: { message: expect.stringContaining("younger") } },
    });
  });

  test.each(["ndsz", "authorizationz", "telemetryz", "inject"])(
    "/debug/%s says that there is no such thing yet",
    async (name) => {
      const [status, body] = await text(`/debug/${name}`);
      expect([status, body]).toEqual([404, expect.stringContaining("/debug/list")]);
      expect(await json("/debug/list")).not.toContain(name);
    },
  );
});

describe("debug over discovery", () => {
  async function ask(typeUrl: string, resourceNames: string[] = []): Promise<AdsClient> {
    const tool = new AdsClient(controlPlane.ports.grpc);
    // As istioctl begins, node and nonce included.
    const node = { id: "sidecar~10.0.0.1~test-1.istio-system~istio-system.svc.cluster.local" };
    tool.send({ typeUrl, resourceNames, node, responseNonce: "2026-01-01" });
    await until(() => tool.received.length > 0 || tool.error !== undefined, "an answer");
    return tool;
  }

  test("answers once for each request, and lists no tool as a proxy", async () => {
    const tool = await ask("istio.io/debug/syncz");
    expect(tool.received[0]).toMatchObject({ typeUrl: "istio.io/debug/syncz", resources: [{}] });
    const { nonce = "" } = tool.received[0] ?? {};
    tool.send({ typeUrl: "istio.io/debug/syncz", responseNonce: nonce });
    tool.send({ typeUrl: "istio.io/debug", resourceNames: ["list"] });
    await until(() => tool.received.length > 1, "the list");
    expect(tool.received).toHaveLength(2);
    const [list] = tool.received[1]?.resources ?? [];
    expect(JSON.parse(Buffer.from(list?.value ?? []).toString())).toContain("syncz");
    expect(controlPlane.status().proxies).toHaveLength(1);
    tool.close();
  });

  test("says what it has no answer for", async () => {
    const unknown = await ask("istio.io/debug/none");
    expect(unknown.error?.details ?? "").toContain("istio.io/debug/none takes one name");
    const nameless = await ask("istio.io/debug", ["a", "b"]);
    expect(nameless.error?.details).toContain("takes one name, not 2");
    const page = await ask("istio.io/debug", ["none"]);
    expect(Buffer.from(page.received[0]?.resources[0]?.value ?? []).toString()).toContain("404");
    for (const tool of [unknown, nameless, page]) tool.close();
  });
});

const istioctl = findProgram("istioctl");

describe.skipIf(istioctl === undefined)("istioctl", () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "weft-istioctl-"));
    const none = { name: "none", cluster: { server: "http://127.0.0.1:1" } };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [none],
      users: [{ name: "none", user: {} }],
      contexts: [{ name: "none", context: { cluster: "none", user: "none" } }],
      "current-context": "none",
    };
    writeFileSync(join(home, "kubeconfig"), JSON.stringify(config));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  async function run(...args: string[]): Promise<string> {
    const xds = ["--xds-address", `127.0.0.1:${controlPlane.ports.grpc}`, "--plaintext"];
    // It looks for a default revision in the cluster when none is named.
    const { stdout } = await promisify(execFile)(
      istioctl ?? "",
      [...args, ...xds, "--revision", "default"],
      { env: { HOME: home, KUBECONFIG: join(home, "kubeconfig") }, timeout: 20_000 },
    );
    return stdout;
  }

  test("proxy-status shows each proxy and its types", async () => {
    expect(await run("proxy-status")).toMatch(
      /client\.default +Kubernetes +\S+ +1\.31\.0 +3 \(CDS,EDS,RDS\)/,
    );
    const verbose = await run("proxy-status", "--verbosity", "1");
    expect(verbose).toMatch(/client\.default.*SYNCED \(.*ERROR \(/);
  });

  test("internal-debug reads the pages", async () => {
    const rows = JSON.parse(await run("x", "internal-debug", "syncz"));
    expect(rows).toMatchObject([{ proxy: "client.default" }]);
    const eds = await run("x", "internal-debug", "edsz?proxyID=client.default");
    expect(eds).toContain(CLUSTER);
  });

  test("proxy-status of a proxy compares what it has", async () => {
    const file = join(home, "dump.json");
    const dump = await json("/debug/config_dump?proxyID=client.default");
    writeFileSync(file, JSON.stringify(dump));
    const compared = await run("proxy-status", "client.default", "--file", file);
    expect(compared).toContain("Clusters Match");
    expect(compared).toContain("Routes Match");
  });
});
