import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { caseLog, logLines, statsOf, type TwinPlaces } from "./twins.ts";

// Envoy 1.40 has no fault filter for upstreams, so this is weft alone: retries and time-outs of the
// same routes are held against Envoy elsewhere.

const TYPE = "type.googleapis.com/envoy.extensions";
const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const CODEC = {
  name: "envoy.filters.http.upstream_codec",
  typed_config: { "@type": `${TYPE}.filters.http.upstream_codec.v3.UpstreamCodec` },
};
const ALWAYS = { numerator: 100 };
const ABORT = { http_status: 503, percentage: ALWAYS };

/** What is done to the attempts of each cluster. */
const FAULTS: Readonly<Record<string, object>> = {
  half: { abort: { ...ABORT, percentage: { numerator: 50 } } },
  never: { abort: ABORT },
  late: { delay: { fixed_delay: "5s", percentage: ALWAYS } },
  slow: { delay: { fixed_delay: "0.1s", percentage: ALWAYS } },
  both: { delay: { fixed_delay: "0.05s", percentage: ALWAYS }, abort: ABORT },
  asked: { abort: { header_abort: {}, percentage: ALWAYS } },
  few: { delay: { fixed_delay: "0.3s", percentage: ALWAYS }, max_active_faults: 1 },
};

const RETRY = {
  retry_on: "5xx",
  num_retries: 3,
  retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
};

function cluster(name: string, port: number): object {
  const type = `${TYPE}.filters.http.fault.v3.HTTPFault`;
  const fault = {
    name: "envoy.filters.http.fault",
    typed_config: { "@type": type, ...FAULTS[name] },
  };
  return staticCluster(name, [port], {
    // The default lets three retries be in progress.
    circuit_breakers: { thresholds: [{ max_retries: 100 }] },
    typed_extension_protocol_options: {
      [OPTIONS]: {
        "@type": `type.googleapis.com/${OPTIONS}`,
        explicit_http_config: { http_protocol_options: {} },
        http_filters: [fault, CODEC],
      },
    },
  });
}

function bootstrap({ ports, adminPort, logPath }: TwinPlaces, upstreamPort: number): object {
  const to = (prefix: string, name: string, action: object = {}): object => ({
    match: { prefix },
    route: { cluster: name, ...action },
  });
  const routes = [
    to("/half", "half", { retry_policy: RETRY }),
    to("/never/once", "never"),
    to("/never", "never", { retry_policy: RETRY }),
    to("/late/tries", "late", {
      retry_policy: { ...RETRY, retry_on: "reset", num_retries: 1, per_try_timeout: "0.1s" },
    }),
    to("/late", "late", { timeout: "2s" }),
    to("/slow", "slow"),
    to("/both", "both", { retry_policy: RETRY }),
    to("/asked", "asked", { retry_policy: RETRY }),
    to("/few", "few"),
  ];
  const virtualHost = {
    name: "all",
    domains: ["*"],
    routes,
    include_attempt_count_in_response: true,
  };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [
        httpListener("in", ports["in"] ?? 0, {
          route_config: { ...routeTable([]), virtual_hosts: [virtualHost] },
          access_log: [caseLog(logPath, "%UPSTREAM_REQUEST_ATTEMPT_COUNT%")],
        }),
      ],
      clusters: Object.keys(FAULTS).map((name) => cluster(name, upstreamPort)),
    },
  };
}

const folder = mkdtempSync(join(tmpdir(), "weft-attempts-"));
let places: TwinPlaces;
let plane: DataPlane;
let upstream: ScriptedUpstream;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  const [port = 0, adminPort = 0] = await freePorts(2);
  places = { ports: { in: port }, adminPort, logPath: join(folder, "access.log") };
  plane = await startWeft(bootstrap(places, upstream.port));
});

afterAll(async () => {
  await plane.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly attempts: string;
  readonly tookMs: number;
}

async function send(text: string): Promise<Answer> {
  const startMs = performance.now();
  const port = places.ports["in"] ?? 0;
  const { messages } = await exchangeRaw({ port, parts: [text], answers: 1 });
  const [message] = messages;
  const count = message?.headers.find((header) => header.startsWith("x-envoy-attempt-count: "));
  return {
    status: Number(message?.line.split(" ")[1]),
    body: message?.body ?? "",
    attempts: count?.split(" ")[1] ?? "",
    tookMs: performance.now() - startMs,
  };
}

function get(path: string, lines = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a.test\r\nX-Case: ${path}\r\n${lines}\r\n`;
}

async function logged(path: string): Promise<string> {
  return until(async () => {
    const lines = await logLines(places, 1);
    return lines.find((line) => line.startsWith(`${path} `));
  }, `a line about ${path}`);
}

describe("an abort of attempts", () => {
  test("of half of them is made good by three retries", async () => {
    const requests = 800;
    let successes = 0;
    for (let at = 0; at < requests; at += 20) {
      const some = Array.from({ length: 20 }, () => send(get("/half")));
      for (const { status } of await Promise.all(some)) if (status === 200) successes++;
    }
    // One in 16 fails four times: 93.75 %, give or take five standard deviations.
    const share = successes / requests;
    expect(Math.abs(share - 15 / 16)).toBeLessThan(5 * Math.sqrt(15 / 256 / requests));
  });

  test("of all of them uses the retries up", async () => {
    upstream.requests.length = 0;
    const { status, body, attempts } = await send(get("/never"));
    expect({ status, body, attempts }).toEqual({
      status: 503,
      body: "fault filter abort",
      attempts: "4",
    });
    expect(upstream.requests).toHaveLength(0);
    expect(await logged("/never")).toBe("/never 503 URX,FI fault_filter_abort 4");
    const stats = await statsOf(places, "cluster.never.");
    expect(stats["cluster.never.fault.aborts_injected"]).toBe(4);
    expect(stats["cluster.never.upstream_rq_retry"]).toBe(3);
    expect(stats["cluster.never.retry.upstream_rq_503"]).toBe(3);
    expect(stats["cluster.never.upstream_rq_503"]).toBe(1);
    expect(stats["cluster.never.upstream_rq_retry_limit_exceeded"]).toBe(1);
  });

  test("without retries is an answer of the upstream", async () => {
    const { status, attempts } = await send(get("/never/once"));
    expect({ status, attempts }).toEqual({ status: 503, attempts: "1" });
    expect(await logged("/never/once")).toBe("/never/once 503 FI fault_filter_abort 1");
  });

  test("leaves the connection of the client open", async () => {
    const port = places.ports["in"] ?? 0;
    const parts = [`${get("/never/open")}${get("/asked/open")}`];
    const { messages } = await exchangeRaw({ port, parts, answers: 2 });
    expect(messages.map(({ line }) => line.split(" ")[1])).toEqual(["503", "200"]);
  });

  test("of a request with a body sends nothing of it", async () => {
    upstream.requests.length = 0;
    const lines = "Content-Length: 5\r\nX-Envoy-Fault-Abort-Request: 500\r\n";
    const text = `${get("/asked/body", lines)}hello`.replace("GET", "POST");
    const { status, attempts } = await send(text);
    expect({ status, attempts }).toEqual({ status: 500, attempts: "4" });
    expect(upstream.requests).toHaveLength(0);
  });

  test("of HEAD has no body", async () => {
    const port = places.ports["in"] ?? 0;
    const parts = [get("/never/once").replace("GET", "HEAD")];
    const { messages } = await exchangeRaw({ port, parts, answers: 1, methods: ["HEAD"] });
    expect(messages[0]?.headers).toContain("content-length: 18");
    expect(messages[0]?.body).toBe("");
  });

  test("of a status that is not tried again comes at once", async () => {
    const { status, attempts } = await send(
      get("/asked/once", "X-Envoy-Fault-Abort-Request: 404\r\n"),
    );
    expect({ status, attempts }).toEqual({ status: 404, attempts: "1" });
  });

  test("of gRPC has gRPC's form", async () => {
    const { status, body } = await send(get("/never/once", "Content-Type: application/grpc\r\n"));
    expect({ status, body }).toEqual({ status: 200, body: "" });
  });
});

describe("a delay of attempts", () => {
  test("is bounded by the route's timeout", async () => {
    const { status, body, tookMs } = await send(get("/late/whole"));
    expect({ status, body }).toEqual({ status: 504, body: "upstream request timeout" });
    expect(tookMs).toBeGreaterThan(1990);
    expect(tookMs).toBeLessThan(4900);
    expect(await logged("/late/whole")).toBe("/late/whole 504 DI,UT response_timeout 1");
  });

  test("is bounded by the timeout of each attempt", async () => {
    const { status, attempts } = await send(get("/late/tries"));
    expect({ status, attempts }).toEqual({ status: 504, attempts: "2" });
    const { ["cluster.late.upstream_rq_per_try_timeout"]: timeouts } = await statsOf(
      places,
      "cluster.late.",
    );
    expect(timeouts).toBe(2);
  });

  test("lets the attempt go on when it is over", async () => {
    const lines = "Content-Length: 5\r\n";
    const text = `${get("/slow", lines)}hello`.replace("GET", "POST");
    upstream.requests.length = 0;
    const { status, tookMs } = await send(text);
    expect(status).toBe(200);
    expect(tookMs).toBeGreaterThan(95);
    expect(upstream.requests.map(({ body }) => body)).toEqual(["hello"]);
  });

  test("comes before an abort, at each attempt", async () => {
    const { status, attempts, tookMs } = await send(get("/both"));
    expect({ status, attempts }).toEqual({ status: 503, attempts: "4" });
    expect(tookMs).toBeGreaterThan(4 * 49);
  });

  test("is left out where as many are active as may be", async () => {
    const answers = await Promise.all([send(get("/few/1")), send(get("/few/2"))]);
    const took = answers.map(({ tookMs }) => tookMs).sort((one, two) => one - two);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(took[1]).toBeGreaterThan(299);
    expect((await statsOf(places, "cluster.few."))["cluster.few.fault.faults_overflow"]).toBe(1);
  });

  test("leaves nothing active behind", async () => {
    const active = async (): Promise<number> => {
      const all = await statsOf(places, "cluster.");
      const names = Object.keys(all).filter((name) => name.endsWith(".fault.active_faults"));
      return names.length;
    };
    await until(async () => (await active()) === 0, "faults to be over");
    expect(await active()).toBe(0);
  });
});
