import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

let controlPlane: ControlPlane;
let source: MemorySource;
let client: AdsClient;

beforeEach(async () => {
  source = new MemorySource(appYaml({ v1: "127.66.0.1", v2: "127.66.0.2", port: 9080 }));
  controlPlane = new ControlPlane({
    source,
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: nodePrng,
    log: silentLogger,
  });
  await controlPlane.start();
  client = new AdsClient(controlPlane.ports.grpc);
  client.send({
    typeUrl: RESOURCE_TYPE_URL.cluster,
    node: { id: NODE, metadata: { INTERCEPTION_MODE: "NONE", ISTIO_VERSION: "1.29.0" } },
  });
  const { typeUrl, nonce } = await client.response("cluster");
  client.send({ typeUrl, responseNonce: nonce });
  source.apply(routeYaml("v1"));
  await until(() => triggered("config") === 2, "the push");
});

afterEach(async () => {
  client.close();
  await controlPlane.stop();
});

const triggered = (type: string): number =>
  controlPlane.metrics.value("pilot_push_triggers", { type });

const address = (): string => `127.0.0.1:${controlPlane.ports.http}`;

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://${address()}/metrics`)).text();
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const space = line.lastIndexOf(" ");
        return [line.slice(0, space), Number(line.slice(space + 1))];
      }),
  );
}

describe("/metrics", () => {
  test("counts changes, pushes and what there is under istiod's names", async () => {
    const values = await scrape();
    const expected: Record<string, number> = {
      pilot_services: 1,
      pilot_virt_services: 1,
      pilot_no_ip: 1,
      pilot_eds_no_instances: 0,
      'pilot_k8s_cfg_events{event="add",type="VirtualService"}': 1,
      'pilot_k8s_reg_events{event="add",type="Service"}': 1,
      'pilot_inbound_updates{type="svc"}': 1,
      'weft_objects{kind="VirtualService"}': 1,
      'pilot_xds{version="1.29.0"}': 1,
      pilot_conflict_outbound_listener_tcp_over_current_tcp: 0,
      weft_push_pending: 0,
      weft_changes_pending: 0,
    };
    for (const [name, value] of Object.entries(expected)) {
      expect([name, values.get(name)]).toEqual([name, value]);
    }
    for (const name of ["pilot_xds_push_time_count", "pilot_proxy_queue_time_count"]) {
      expect([name, values.get(name)]).toEqual([name, 1]);
    }
    expect(values.get("pilot_xds_recv_max")).toBeGreaterThan(NODE.length);
    expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    expect(values.get("nodejs_heap_size_used_bytes")).toBeGreaterThan(1_000_000);
    expect(values.get("process_cpu_seconds_total")).toBeGreaterThan(0);
  });

  test("counts answers to no response, and services that have no place of their own", async () => {
    client.send({ typeUrl: RESOURCE_TYPE_URL.cluster, responseNonce: "long ago" });
    const captured = new AdsClient(controlPlane.ports.grpc);
    captured.send({
      typeUrl: RESOURCE_TYPE_URL.cluster,
      node: { id: NODE.replaceAll("client", "captured") },
    });
    source.apply(tcpEntryYaml("older", "2026-01-01") + tcpEntryYaml("newer", "2026-01-02"));
    await until(() => triggered("service") > 0, "the push");
    const conflict = "pilot_conflict_outbound_listener_tcp_over_current_tcp";
    await until(async () => (await scrape()).get(conflict) === 1, "the conflict to be counted");
    expect((await scrape()).get('pilot_xds_expired_nonce{type="cds"}')).toBe(1);
    const status = await (await fetch(`http://${address()}/debug/push_status`)).json();
    expect(status).toMatchObject({
      [conflict]: { "0.0.0.0_9443": { proxy: "captured.default" } },
    });
    for (const one of [client, captured]) one.close();
    await until(
      async () => (await scrape()).get('pilot_xds{version=""}') === 0,
      "nobody to be there",
    );
  });

  test("forgets a kind of which there is nothing any more", async () => {
    const key = {
      group: "networking.istio.io",
      kind: "VirtualService",
      namespace: "default",
      name: "reviews",
    };
    source.give([{ type: "delete", key }]);
    await until(() => triggered("config") === 3, "the next push");
    const values = await scrape();
    expect(values.has('weft_objects{kind="VirtualService"}')).toBe(false);
    expect(values.get("pilot_virt_services")).toBe(0);
  });
});

function tcpEntryYaml(name: string, day: string): string {
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default, creationTimestamp: "${day}T00:00:00Z" }
spec:
  hosts: [${name}.example.com]
  ports: [{ number: 9443, name: tcp, protocol: TCP }]
  resolution: STATIC
  endpoints: [{ address: 192.0.2.1 }]
`;
}

const promtool = findProgram("promtool");

test.skipIf(promtool === undefined)(
  "promtool takes /metrics, but for names that are istiod's",
  async () => {
    const text = await (await fetch(`http://${address()}/metrics`)).text();
    const [code, complaints] = await new Promise<[number, string]>((resolve) => {
      const child = execFile(
        promtool ?? "",
        ["check", "metrics"],
        { timeout: 20_000 },
        (error, _stdout, stderr) => resolve([Number(error?.code ?? 0), stderr]),
      );
      child.stdin?.end(text);
    });
    // 3: it has read everything, and would have named something otherwise.
    expect([0, 3]).toContain(code);
    const others = complaints
      .split("\n")
      .filter(
        (line) => line !== "" && !/_total|base unit|non-counter metrics should not/.test(line),
      );
    expect(others).toEqual([]);
  },
);

const prometheus = findProgram("prometheus");

describe.skipIf(prometheus === undefined)("Prometheus", () => {
  let folder: string;
  let child: ChildProcess;
  let url: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-prometheus-"));
    const jobs = [{ job_name: "weft", static_configs: [{ targets: [address()] }] }];
    const config = { global: { scrape_interval: "1s" }, scrape_configs: jobs };
    writeFileSync(join(folder, "prometheus.json"), JSON.stringify(config));
    const flags = [
      `--config.file=${join(folder, "prometheus.json")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      "--web.listen-address=127.0.0.1:0",
    ];
    child = spawn(prometheus ?? "", flags, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const [, host] = await until(
      () => /Listening on" address=(127\.0\.0\.1:\d+)/.exec(said) ?? undefined,
      "Prometheus",
    );
    url = `http://${host}`;
  });

  afterEach(async () => {
    const over = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await over;
    rmSync(folder, { recursive: true, force: true });
  });

  test("scrapes a control plane, and answers with its figures", async () => {
    interface Answer {
      readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    }
    const ask = async (query: string): Promise<string | undefined> => {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
      // It answers 503 until it has read its storage.
      if (!response.ok) return undefined;
      const { data } = (await response.json()) as Answer;
      return data.result[0]?.value[1];
    };
    const isUp = async (): Promise<boolean> => (await ask("up")) === "1";
    await until(isUp, "a scrape", 25_000);
    expect(await ask("pilot_services")).toBe("1");
    expect(await ask("sum(pilot_xds)")).toBe("1");
    expect(await ask("histogram_quantile(0.99, pilot_xds_push_time_bucket)")).toMatch(/^\d/);
  });
});
