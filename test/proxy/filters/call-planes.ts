import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "../bootstrap-json.ts";
import { BothPlanes, type Plane } from "../both-planes.ts";
import { freePorts } from "../data-plane.ts";
import { exchangeH2, type H2Answer } from "../http2/h2-client.ts";
import { type H2Script, H2Upstream } from "../http2/h2-upstream.ts";
import { plainHeaders } from "../http2/plain-headers.ts";
import { http2Options } from "../http2-cluster.ts";
import { type Script, ScriptedUpstream } from "../scripted-upstream.ts";
import { metricsOf } from "../twins.ts";
import type { CallCase } from "./call-case.ts";

/** What became of a case, without what no two runs share. */
export interface CallOutcome {
  readonly answer: Partial<H2Answer>;
  readonly upstream: readonly unknown[];
  readonly log: string;
}

const LOG =
  "%REQ(MARK)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %TRAILER(GRPC-STATUS)% " +
  "%FILTER_STATE(envoy.filters.http.grpc_stats)% %FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)% " +
  "%FILTER_STATE(envoy.filters.http.grpc_stats:FIELD:request_message_count)%\n";
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

/** weft and Envoy with a listener for each configuration of some cases, and the upstreams of them. */
export class CallPlanes {
  readonly #cases: readonly CallCase[];
  readonly #configs: readonly string[];
  readonly #planes = new BothPlanes<string>();
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-calls-"));
  readonly #logs: string[] = [];
  #http1: ScriptedUpstream | undefined = undefined;
  #http2: H2Upstream | undefined = undefined;

  constructor(cases: readonly CallCase[]) {
    this.#cases = cases;
    this.#configs = [...new Set(cases.map(configOf))];
  }

  async start(): Promise<void> {
    this.#http1 = await ScriptedUpstream.start(this.#scripts("http1") as Record<string, Script>);
    this.#http2 = await H2Upstream.start(this.#scripts("http2") as Record<string, H2Script>);
    const [nowhere = 0] = await freePorts(1);
    const targets = { http1: this.#http1.port, http2: this.#http2.port, none: nowhere };
    const names = this.#configs.map((_, at) => `l${at}`);
    await this.#planes.start(names, (ports) => {
      const path = join(this.#folder, `log-${this.#logs.length}`);
      this.#logs.push(path);
      return this.#bootstrap(ports, targets, path);
    });
  }

  async stop(): Promise<void> {
    await this.#planes.stop();
    await this.#http1?.stop();
    await this.#http2?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #scripts(which: "http1" | "http2"): Record<string, unknown> {
    const all = this.#cases.map((one, at) => [`/pkg.Svc/M${at}`, one] as const);
    return Object.fromEntries(
      all.flatMap(([path, one]) => (kindOf(one) === which ? [[path, one.script]] : [])),
    );
  }

  #bootstrap(
    ports: Readonly<Record<string, number>>,
    targets: Readonly<Record<ReturnType<typeof kindOf>, number>>,
    path: string,
  ): object {
    const log = { text_format_source: { inline_string: LOG } };
    const access = { name: "log", typed_config: { "@type": FILE_LOG, path, log_format: log } };
    const configs = this.#configs.map((text) => JSON.parse(text) as ReturnType<typeof partsOf>);
    const router = filter("http.router.v3.Router", {});
    return {
      admin: { address: socketAddress(ports["admin"] ?? 0) },
      static_resources: {
        listeners: configs.map((config, at) => ({
          ...httpListener(`l${at}`, ports[`l${at}`] ?? 0, {
            route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: `up${at}` } }]),
            access_log: [access],
            ...config.options,
            http_filters: [...config.filters, router],
          }),
          ...config.listener,
        })),
        clusters: configs.map(({ kind }, at) =>
          staticCluster(`up${at}`, [targets[kind]], kind === "http2" ? http2Options() : {}),
        ),
      },
    };
  }

  /** Does what the case says with both, one after the other. */
  run(at: number): Promise<{ weft: CallOutcome; envoy: CallOutcome }> {
    return this.#planes.each((plane) => this.#runIn(at, plane));
  }

  /** Does what the case says with weft alone: where Envoy does otherwise, it may never end. */
  runWeft(at: number): Promise<CallOutcome> {
    return this.#runIn(
      at,
      this.#planes.planes.find(({ name }) => name === "weft"),
    );
  }

  /** What Prometheus is told of metrics whose names contain `part`, but for how long things took. */
  metrics(part: string): Promise<{ weft: readonly string[]; envoy: readonly string[] }> {
    return this.#planes.each(async ({ ports: { admin = 0 } }) => {
      const metrics = await metricsOf({ adminPort: admin }, part);
      return metrics.filter((line) => !/_sum\{|_bucket\{/.test(line));
    });
  }

  /** All numbers of calls, of all cases that were run. */
  stats(filterText: string): Promise<{ weft: object; envoy: object }> {
    return this.#planes.each((plane) => plane.stats(filterText));
  }

  async #runIn(at: number, plane: Plane<string> | undefined): Promise<CallOutcome> {
    const one = this.#cases[at];
    if (one === undefined || plane === undefined) throw new Error(`there is no case ${at} to run`);
    const { ignores = [] } = one;
    const mark = `${plane.name}-${at}-mark`;
    const port = plane.ports[`l${this.#configs.indexOf(configOf(one))}`] ?? 0;
    if (this.#http1 !== undefined) this.#http1.requests.length = 0;
    if (this.#http2 !== undefined) this.#http2.requests.length = 0;
    const path = `/pkg.Svc/M${at}${one.query ?? ""}`;
    const got =
      one.over === "HTTP/2"
        ? await callH2(port, path, one, mark)
        : await callH1(port, path, one, mark);
    const upstream = [...(this.#http1?.requests ?? []), ...(this.#http2?.requests ?? [])];
    const plain = JSON.stringify(upstream)
      .replaceAll(mark, "MARK")
      .replace(/x-request-id: [\da-f-]{36}/g, "x-request-id: new")
      .replace(/x-forwarded-port: \d+/g, "x-forwarded-port: some");
    const line = await this.#lineOf(plane, mark);
    const isKept = (header: string): boolean =>
      !ignores.includes("content-length") || !header.startsWith("content-length");
    return {
      answer: {
        ...got,
        headers: (got.headers ?? []).filter(isKept),
        ...(ignores.includes("body") ? { body: "" } : {}),
      },
      upstream: ignores.includes("upstream") ? [] : sorted(JSON.parse(plain) as object[]),
      log: ignores.includes("log") ? "" : line.replace(mark, ""),
    };
  }

  async #lineOf(plane: Plane<string>, mark: string): Promise<string> {
    const path = this.#logs[this.#planes.planes.indexOf(plane)] ?? "";
    return until(() => {
      const lines = readFileSync(path, "utf8").split("\n");
      return lines.find((line) => line.startsWith(`${mark} `));
    }, `the log of ${mark}`);
  }
}

/** The order of headers means nothing. */
function sorted(requests: readonly object[]): readonly unknown[] {
  return requests.map((one) =>
    "headers" in one && Array.isArray(one.headers)
      ? { ...one, headers: (one.headers as string[]).toSorted(), names: [] }
      : one,
  );
}

function kindOf({ script }: CallCase): "none" | "http1" | "http2" {
  if (script === "none") return "none";
  return "send" in script || "end" in script ? "http1" : "http2";
}

function partsOf(one: CallCase): {
  filters: readonly object[];
  options: object;
  listener: object;
  kind: ReturnType<typeof kindOf>;
} {
  const { filters, options = {}, listener = {} } = one;
  return { filters, options, listener, kind: kindOf(one) };
}

function configOf(one: CallCase): string {
  return JSON.stringify(partsOf(one));
}

async function callH2(
  port: number,
  path: string,
  { headers, body, requestTrailers }: CallCase,
  mark: string,
): Promise<Partial<H2Answer>> {
  const request = {
    headers: { ":method": "POST", ":path": path, ":authority": "a.test", ...headers, mark },
    ...(body === undefined ? {} : { body }),
    ...(requestTrailers === undefined ? {} : { trailers: requestTrailers }),
  };
  const [answer] = await exchangeH2(port, [request]);
  const time = "x-envoy-upstream-service-time";
  return {
    ...answer,
    headers: (answer?.headers ?? []).map((line) => (line.startsWith(time) ? time : line)),
  };
}

async function callH1(
  port: number,
  path: string,
  { headers, body }: CallCase,
  mark: string,
): Promise<Partial<H2Answer>> {
  const request = httpRequest({
    host: "127.0.0.1",
    port,
    path,
    method: "POST",
    agent: false,
    maxHeaderSize: 65_536,
    headers: { host: "a.test", ...headers, mark } as Record<string, string>,
  });
  try {
    const answered = once(request, "response");
    // Whatever comes of sending, the answer says it.
    request.on("error", () => undefined);
    for (const [at, part] of (body ?? []).entries()) {
      if (at > 0) await sleep(30);
      request.write(part);
    }
    request.end();
    const [response] = (await answered) as [IncomingMessage];
    let text = "";
    let reset = {};
    try {
      for await (const bytes of response) text += (bytes as Buffer).toString("latin1");
    } catch {
      reset = { reset: "cut off" };
    }
    const time = "x-envoy-upstream-service-time";
    return {
      headers: plainHeaders({ ":status": String(response.statusCode), ...response.headers }).map(
        (line) => (line.startsWith(time) ? time : line),
      ),
      body: text,
      trailers: plainHeaders(response.trailers),
      ...reset,
    };
  } catch {
    return { headers: [], reset: "no answer" };
  } finally {
    request.destroy();
  }
}
