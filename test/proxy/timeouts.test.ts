import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { SlowUpstream } from "./slow-upstream.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { TIMEOUT_CASES, type TimeoutCase } from "./timeout-cases.ts";
import { downstreamTls, overTls, tlsCertificate } from "./tls-json.ts";
import { caseLog, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const HANDSHAKE_MS = 300;
/** How long a client may keep its end open after the last answer. */
const LINGERING_MS = 400;

const nameOf = (at: number): string => `l${at}`;
const NAMES = [...TIMEOUT_CASES.map((_, at) => nameOf(at)), "tls", "lingering"];

function bootstrap(
  places: TwinPlaces,
  upstreamPorts: readonly number[],
  cert: TestCertificate,
): object {
  const tls = overTls(
    httpListener("tls", places.ports["tls"] ?? 0, { route_config: routeTable([]) }),
    downstreamTls({ tls_certificates: [tlsCertificate(cert)] }),
  ) as { readonly filter_chains: readonly object[] };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        ...TIMEOUT_CASES.map(({ manager, route }, at) =>
          httpListener(nameOf(at), places.ports[nameOf(at)] ?? 0, {
            route_config: routeTable([
              { match: { prefix: "/" }, route: { cluster: nameOf(at), timeout: "9s", ...route } },
            ]),
            access_log: [caseLog(`${places.logPath}-${at}`)],
            delayed_close_timeout: "0.02s",
            ...manager,
          }),
        ),
        {
          ...tls,
          filter_chains: tls.filter_chains.map((chain) => ({
            ...chain,
            transport_socket_connect_timeout: `${HANDSHAKE_MS / 1000}s`,
          })),
        },
        httpListener("lingering", places.ports["lingering"] ?? 0, {
          route_config: routeTable([{ match: { prefix: "/" }, direct_response: { status: 200 } }]),
          delayed_close_timeout: `${LINGERING_MS / 1000}s`,
        }),
      ],
      clusters: TIMEOUT_CASES.map(({ cluster }, at) =>
        staticCluster(nameOf(at), [upstreamPorts[at] ?? 0], cluster),
      ),
    },
  };
}

interface Outcome {
  readonly statuses: readonly number[];
  readonly answers: readonly string[];
  readonly rest: string;
  readonly log: readonly string[];
  readonly attempts: number;
  readonly tookMs: number;
}

let twins: Twins;
let cert: TestCertificate;
const upstreams: SlowUpstream[] = [];
const outcomes = new Map<string, readonly Outcome[]>();

beforeAll(async () => {
  cert = await (await TestAuthority.create()).issue();
  for (const _ of TIMEOUT_CASES) upstreams.push(await SlowUpstream.start());
  const ports = upstreams.map(({ port }) => port);
  twins = await Twins.start(NAMES, (places) => bootstrap(places, ports, cert));
  for (const [at, twin] of twins.all.entries()) {
    // Together: they wait, they do not work.
    const all = await Promise.all(TIMEOUT_CASES.map((one, index) => run(one, index, twin)));
    outcomes.set(at === 0 ? "weft" : "envoy", all);
    for (const upstream of upstreams) upstream.counts.clear();
  }
}, 60_000);

afterAll(async () => {
  await twins.stop();
  for (const upstream of upstreams) await upstream.stop();
});

async function run(one: TimeoutCase, at: number, twin: TwinPlaces): Promise<Outcome> {
  const startMs = performance.now();
  const { messages, rest } = await exchangeRaw({
    port: twin.ports[nameOf(at)] ?? 0,
    parts: typeof one.send === "string" ? [one.send] : one.send,
    // Where none comes, or a tunnel ends, the end of the connection is waited for.
    answers: one.status.includes(101) ? 2 : Math.max(1, one.status.length),
  });
  const tookMs = performance.now() - startMs;
  const path = `${twin.logPath}-${at}`;
  const log = await until(() => {
    const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
    return lines.length >= one.log.length ? lines : undefined;
  }, `the log of ${one.name}`);
  const attempts = [...(upstreams[at]?.counts.values() ?? [])].reduce((sum, n) => sum + n, 0);
  return {
    statuses: messages.map(({ line }) => Number(line.split(" ")[1])),
    answers: messages.map(({ line, headers, body }) =>
      [line, ...headers.map(withoutChance).sort(), body].join("\n"),
    ),
    // Of a body that comes byte by byte, as much as there was time for.
    rest: rest
      .split("\r\n")
      .map(withoutChance)
      .sort()
      .join("\n")
      .replace(/^\n\d+\n/, "\nsome\n"),
    // Without the name of the case, which stands first.
    log: log.map((line) => line.trim().replace(/^\S+ /, "")),
    attempts,
    tookMs,
  };
}

function withoutChance(header: string): string {
  return header.replace(/^(date|x-envoy-upstream-service-time): .*/, "$1: some");
}

describe("time-outs", () => {
  test.each(TIMEOUT_CASES.map((one, at) => ({ ...one, at })))("$name", (one) => {
    const ours = outcomes.get("weft")?.[one.at];
    expect(ours?.statuses).toEqual(one.status);
    expect(ours?.log).toEqual(one.log);
    // A timer may fire up to a millisecond before its time.
    expect(ours?.tookMs).toBeGreaterThan((one.waitsMs ?? 0) - 2);
    expect(ours?.attempts).toBe(one.attempts ?? ours?.attempts);
  });

  test("transport_socket_connect_timeout closes what does not begin to speak TLS", async () => {
    for (const twin of twins.all) {
      const startMs = performance.now();
      const socket = connect(twin.ports["tls"] ?? 0, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.resume();
      await until(() => socket.readableEnded || socket.closed, "the connection to be closed");
      expect(performance.now() - startMs).toBeGreaterThan(HANDSHAKE_MS - 2);
      await destroy(socket);
      const prefix = `listener.127.0.0.1_${twin.ports["tls"]}.`;
      const name = `${prefix}downstream_cx_transport_socket_connect_timeout`;
      expect((await statsOf(twin, prefix))[name]).toBe(1);
    }
  });

  test("delayed_close_timeout ends a connection whose client does not", async () => {
    for (const twin of twins.all) {
      const socket = connect({ port: twin.ports["lingering"] ?? 0, allowHalfOpen: true });
      socket.on("error", () => undefined);
      socket.resume();
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      const startMs = performance.now();
      const name = "http.lingering.downstream_cx_destroy";
      const ended = async (): Promise<boolean> => (await statsOf(twin, name))[name] === 1;
      await until(ended, "the connection to end");
      await destroy(socket);
      expect(performance.now() - startMs).toBeGreaterThan(LINGERING_MS - 50);
    }
  });
});

describe.skipIf(!HAS_ENVOY)("the same time-outs in Envoy", () => {
  test.each(TIMEOUT_CASES.map((one, at) => ({ ...one, at })))("$name", (one) => {
    const ours = outcomes.get("weft")?.[one.at];
    const theirs = outcomes.get("envoy")?.[one.at];
    expect({ ...ours, tookMs: 0 }).toEqual({ ...theirs, tookMs: 0 });
    expect(theirs?.tookMs).toBeGreaterThan((one.waitsMs ?? 0) - 2);
  });
});
