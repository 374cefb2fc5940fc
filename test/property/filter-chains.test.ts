import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FilterChainMatchSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { compileFilterChainSearch } from "../../src/match/filter-chain.ts";
import { decodeFilterChainMatch } from "../../src/match/filter-chain-match.ts";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "../proxy/data-plane.ts";

const envoyProgram = findProgram("envoy");

const SEED = Number(process.env["SEED"] ?? Math.floor(Date.now() / 86_400_000));
const TABLES = Number(process.env["TABLES"] ?? 10);
const CONNECTIONS = 40;

/** The ports of a listener: both proxies have their own, so a chain names one of them by place. */
type PortPlace = 0 | 1;

interface Chain {
  readonly port: PortPlace | undefined;
  readonly match: { readonly [key: string]: JsonValue };
}

interface Connection {
  readonly from: string;
  readonly to: string;
  readonly port: PortPlace;
}

const HOSTS = ["127.0.0.1", "127.0.0.2", "127.1.0.1"];

/** Not `0.0.0.0/0`: beside a chain that asks for no address, Envoy takes either one. */
const BLOCKS = ["127.0.0.2/32", "127.0.0.0/24", "127.0.0.0/8", "127.1.2.3/16", "0.0.0.0/1", "::/0"];

const RANGES: fc.Arbitrary<JsonValue> = fc
  .shuffledSubarray(BLOCKS, { maxLength: 2 })
  .map((blocks) =>
    blocks.map((block) => {
      const [address_prefix = "", bits] = block.split("/");
      return { address_prefix, prefix_len: Number(bits) };
    }),
  );

/** Asked by few chains, or most would ask for something that the others do not. */
function rarely<T>(arbitrary: fc.Arbitrary<T>, otherwise: T): fc.Arbitrary<T> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(otherwise) }, arbitrary);
}

const CHAIN: fc.Arbitrary<Chain> = fc
  .record({
    port: fc.constantFrom<PortPlace | undefined>(undefined, undefined, 0, 1),
    prefix_ranges: rarely(RANGES, []),
    server_names: rarely(fc.constantFrom<JsonValue>(["a.test"], ["*.test", ""]), []),
    transport_protocol: rarely(fc.constantFrom<JsonValue>("raw_buffer", "tls"), ""),
    direct_source_prefix_ranges: rarely(RANGES, []),
    source_type: rarely(fc.constantFrom<JsonValue>("SAME_IP_OR_LOOPBACK", "EXTERNAL"), "ANY"),
    source_prefix_ranges: rarely(RANGES, []),
  })
  .map(({ port, ...match }) => ({ port, match }));

const CONNECTION: fc.Arbitrary<Connection> = fc.record({
  from: fc.constantFrom(...HOSTS, "127.3.0.1"),
  to: fc.constantFrom(...HOSTS),
  port: fc.constantFrom<PortPlace>(0, 1),
});

const cases = fc.sample(
  fc.record({
    chains: fc.array(CHAIN, { minLength: 3, maxLength: 12 }).map(withoutOverlaps),
    hasDefault: fc.boolean(),
    connections: fc.array(CONNECTION, {
      minLength: CONNECTIONS,
      maxLength: CONNECTIONS,
      size: "max",
    }),
  }),
  { seed: SEED, numRuns: TABLES },
);

/** A listener whose chains overlap is refused by both proxies. */
function withoutOverlaps(chains: readonly Chain[]): readonly Chain[] {
  const kept: Chain[] = [];
  for (const chain of chains) {
    let overlaps = false;
    const all = [...kept, chain].map((one, at) => ({
      name: String(at),
      match: decodeFilterChainMatch(
        fromJson(FilterChainMatchSchema, matchOf(one, [1, 2])),
        "filter_chain_match",
        [],
      ),
    }));
    compileFilterChainSearch(all, () => {
      overlaps = true;
    });
    if (!overlaps) kept.push(chain);
  }
  return kept;
}

function matchOf(chain: Chain, ports: readonly number[]): JsonValue {
  const port = chain.port === undefined ? {} : { destination_port: ports[chain.port] ?? 0 };
  return { ...chain.match, ...port };
}

interface Side {
  readonly plane: DataPlane;
  /** Two for each listener. */
  readonly ports: readonly (readonly number[])[];
}

let weft: Side | undefined;
let envoy: Side | undefined;

beforeAll(async () => {
  if (envoyProgram === undefined) return;
  process.stderr.write(`filter chains: SEED=${SEED} TABLES=${TABLES}\n`);
  const [admin = 0, ...free] = await freePorts(TABLES * 4 + 1);
  const pairs = cases.map((_case, at) => free.slice(at * 4, at * 4 + 4));
  const ours = pairs.map((ports) => ports.slice(0, 2));
  const theirs = pairs.map((ports) => ports.slice(2));
  weft = { plane: await startWeft(bootstrap(ours, undefined)), ports: ours };
  const plane = await startEnvoy(envoyProgram, bootstrap(theirs, admin), admin);
  envoy = { plane, ports: theirs };
});

afterAll(async () => {
  await weft?.plane.stop();
  await envoy?.plane.stop();
});

function bootstrap(ports: readonly (readonly number[])[], adminPort: number | undefined): object {
  const address = (host: string, port: number): JsonValue => ({
    socket_address: { address: host, port_value: port },
  });
  return {
    ...(adminPort === undefined ? {} : { admin: { address: address("127.0.0.1", adminPort) } }),
    static_resources: {
      listeners: cases.map(({ chains, hasDefault }, at) => {
        const mine = ports[at] ?? [];
        const [first, ...others] = HOSTS.flatMap((host) => mine.map((port) => address(host, port)));
        return {
          name: `listener-${at}`,
          address: first,
          additional_addresses: others.map((other) => ({ address: other })),
          filter_chains: chains.map((chain, index) => ({
            name: String(index),
            filter_chain_match: matchOf(chain, mine),
            filters: answering(`chain ${index}`),
          })),
          ...(hasDefault ? { default_filter_chain: { filters: answering("default chain") } } : {}),
        };
      }),
    },
  };
}

function answering(body: string): JsonValue {
  const type = "type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config";
  return [
    {
      name: "direct",
      typed_config: { "@type": type, response: { inline_string: body } },
    },
  ];
}

/** What the chain of each connection says; "" when no chain takes it. */
async function ask(
  connections: readonly Connection[],
  ports: readonly number[],
): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const { from, to, port } of connections) {
    const where = { host: to, port: ports[port] ?? 0, localAddress: from };
    let answer = "";
    // The reset of what was not read may overtake the answer: silence is asked once more.
    for (let tries = 0; answer === "" && tries < 3; tries++) {
      const socket = connect(where);
      // The inspector of TLS waits for something to look at.
      socket.end("plain text\n");
      answer = await text(socket).catch(() => "");
    }
    answers.push(answer);
  }
  return answers;
}

test.skipIf(envoyProgram === undefined).each(cases.map((one, at) => ({ ...one, at })))(
  "weft's proxy and Envoy take the same filter chains of generated listener $at",
  async ({ chains, connections, at }) => {
    const ours = await ask(connections, weft?.ports[at] ?? []);
    const theirs = await ask(connections, envoy?.ports[at] ?? []);
    const first = theirs.findIndex((answer, index) => answer !== ours[index]);
    const asked = first === -1 ? undefined : { seed: SEED, connection: connections[first], chains };
    expect({ asked, answer: ours[first] }).toEqual({ asked, answer: theirs[first] });
  },
);
