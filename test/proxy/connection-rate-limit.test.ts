import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { filter, listenerOf, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { converse, destroy } from "./both-planes.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { logLines, metricsOf, statsOf, type TwinPlaces, Twins } from "./twins.ts";

const HAS_ENVOY = findProgram("envoy") !== undefined;
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const ECHO = filter("network.echo.v3.Echo", {});
const OF_NETWORK = "network.local_ratelimit.v3.LocalRateLimit";
const OF_LISTENER = "listener.local_ratelimit.v3.LocalRateLimit";
const FORMAT =
  "%FILTER_CHAIN_NAME% %RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS% %UPSTREAM_CLUSTER% " +
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %BYTES_RECEIVED% %ACCESS_LOG_TYPE%\n";

/** A case: what is limited, and how many of five connections pass. */
interface GateCase {
  readonly limit: object;
  readonly passes: number;
}

const bucket = (maxTokens: number, interval = "1000s"): object => ({
  token_bucket: { max_tokens: maxTokens, fill_interval: interval },
});
const enabled = (value: boolean, key: string): object => ({
  runtime_enabled: { default_value: value, runtime_key: key },
});

const CASES: Readonly<Record<string, GateCase>> = {
  one: { limit: bucket(1), passes: 1 },
  three: { limit: bucket(3), passes: 3 },
  none: { limit: bucket(0), passes: 0 },
  "in no time": { limit: bucket(1, "0.0001s"), passes: 5 },
  off: { limit: { ...bucket(1), ...enabled(true, "test.off") }, passes: 5 },
  "off by zero": { limit: { ...bucket(1), ...enabled(true, "test.zero") }, passes: 5 },
  on: { limit: { ...bucket(1), ...enabled(false, "test.on") }, passes: 1 },
  "on by a number": { limit: { ...bucket(1), ...enabled(false, "test.seven") }, passes: 1 },
  "on, whatever text says": { limit: { ...bucket(1), ...enabled(true, "test.text") }, passes: 1 },
  "off without a key": { limit: { ...bucket(1), ...enabled(false, "test.nothing") }, passes: 5 },
};
const NAMES = Object.keys(CASES);
const RUNTIME = { test: { off: false, zero: 0, on: true, seven: 7, text: "false" } };

/** Listeners of filters that share buckets, by what they share. */
const SHARED: Readonly<Record<string, object>> = {
  "shared one": { ...bucket(3), share_key: "a" },
  "shared two": { ...bucket(3), share_key: "a" },
  "other key": { ...bucket(3), share_key: "b" },
  "other bucket": { ...bucket(4), share_key: "a" },
};

const placeOf = (kind: string, name: string): string => `${kind} ${name}`;
const PLACES = [
  ...NAMES.flatMap((name) => [placeOf("network", name), placeOf("listener", name)]),
  ...Object.keys(SHARED),
  "tcp",
  "limited",
];

function bootstrap({ ports, adminPort, logPath }: TwinPlaces, upstreamPort: number): object {
  const listener = (name: string, filters: readonly object[], options = {}): object =>
    listenerOf(name, ports[name] ?? 0, filters, options);
  const log_format = { text_format_source: { inline_string: FORMAT } };
  const tcp = filter("network.tcp_proxy.v3.TcpProxy", {
    stat_prefix: "tcp",
    cluster: "up",
    access_log: [{ name: "log", typed_config: { "@type": FILE_LOG, path: logPath, log_format } }],
  });
  const named = (name: string, filters: readonly object[]): object => {
    const chains = [{ name, filters }];
    return { name, address: socketAddress(ports[name] ?? 0), filter_chains: chains };
  };
  return {
    admin: { address: socketAddress(adminPort) },
    layered_runtime: { layers: [{ name: "static", static_layer: RUNTIME }] },
    static_resources: {
      listeners: [
        ...NAMES.flatMap((name) => {
          const limit = { stat_prefix: name, ...CASES[name]?.limit };
          return [
            listener(placeOf("network", name), [filter(OF_NETWORK, limit), ECHO]),
            listener(placeOf("listener", name), [ECHO], {
              listener_filters: [filter(OF_LISTENER, limit)],
            }),
          ];
        }),
        ...Object.entries(SHARED).map(([name, limit]) =>
          listener(name, [filter(OF_NETWORK, { stat_prefix: name, ...limit }), ECHO]),
        ),
        named("tcp", [filter(OF_NETWORK, { stat_prefix: "tcp", ...bucket(1) }), tcp]),
        named("limited", [
          filter("network.connection_limit.v3.ConnectionLimit", {
            stat_prefix: "limited",
            max_connections: 1,
            ...enabled(false, "test.on"),
          }),
          tcp,
        ]),
      ],
      clusters: [staticCluster("up", [upstreamPort])],
    },
  };
}

let upstream: ScriptedUpstream;
let twins: Twins;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  twins = await Twins.start(PLACES, (places) => bootstrap(places, upstream.port));
});

afterAll(async () => {
  await twins.stop();
  await upstream.stop();
});

/** Whether each of so many connections gets an answer. */
async function connectTo(twin: TwinPlaces, place: string, count: number): Promise<boolean[]> {
  const passed: boolean[] = [];
  for (let at = 0; at < count; at++) {
    const port = twin.ports[place] ?? 0;
    const { got } = await converse({ to: { host: "127.0.0.1", port }, send: "hi", enough: "hi" });
    passed.push(got === "hi");
  }
  return passed;
}

describe("local rate limits of connections", () => {
  const table = NAMES.flatMap((name) => [["network", name] as const, ["listener", name] as const]);

  test.each(table)("by a %s filter: %s", async (kind, name) => {
    const passes = CASES[name]?.passes ?? 0;
    const expected = Array.from({ length: 5 }, (_, at) => at < passes);
    for (const twin of twins.all) {
      expect(await connectTo(twin, placeOf(kind, name), 5)).toEqual(expected);
    }
  });

  test("are shared by filters with the same key and the same bucket", async () => {
    for (const twin of twins.all) {
      expect(await connectTo(twin, "shared one", 2)).toEqual([true, true]);
      expect(await connectTo(twin, "shared two", 2)).toEqual([true, false]);
      expect(await connectTo(twin, "shared one", 1)).toEqual([false]);
      expect(await connectTo(twin, "other key", 4)).toEqual([true, true, true, false]);
      expect(await connectTo(twin, "other bucket", 4)).toEqual([true, true, true, true]);
    }
  });

  test("are logged and counted by the TCP proxy behind them", async () => {
    const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const twin of twins.all) {
      const limited = { host: "127.0.0.1", port: twin.ports["limited"] ?? 0 };
      const limitedOne = connect(limited).on("error", () => undefined);
      const active = "connection_limit.limited.active_connections";
      await until(async () => (await statsOf(twin, active))[active] === 1, "the first connection");
      await converse({ to: limited });
      await destroy(limitedOne);
      const to = { host: "127.0.0.1", port: twin.ports["tcp"] ?? 0 };
      await converse({ to, send: get, enough: "hi" });
      await converse({ to });
      expect(await logLines(twin, 4)).toEqual([
        "limited - - - 127.0.0.1 0 TcpConnectionEnd",
        "limited - - up 127.0.0.1 0 TcpConnectionEnd",
        "tcp - - up 127.0.0.1 27 TcpConnectionEnd",
        "tcp URX - - 127.0.0.1 0 TcpConnectionEnd",
      ]);
      expect(await statsOf(twin, "tcp.tcp.downstream_cx_total")).toEqual({
        "tcp.tcp.downstream_cx_total": 4,
      });
    }
  });

  test.skipIf(!HAS_ENVOY)("are counted alike in weft and Envoy", async () => {
    for (const prefix of ["local_rate_limit.", "listener_local_ratelimit."]) {
      const [ours, theirs] = await Promise.all(twins.all.map((twin) => statsOf(twin, prefix)));
      expect(ours).toEqual(theirs);
      expect(ours?.[`${prefix}none.rate_limited`]).toBe(5);
    }
    const [ours, theirs] = await Promise.all(
      twins.all.map((twin) => metricsOf(twin, "local_rate")),
    );
    expect(ours).toEqual(theirs);
  });
});
