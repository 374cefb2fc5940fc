import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { type CallOutcome, type GrpcEcho, GrpcEchoClient, startGrpcEcho } from "./grpc-echo.ts";
import { http2Options } from "./http2-cluster.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { downstreamTls, inline, overTls, tlsCertificate, upstreamTls } from "./tls-json.ts";

/** One proxy, and two with mutual TLS between them. */
type Way = "one" | "two";
const planes = new BothPlanes<Way | "back">();
let server: GrpcEcho;

beforeAll(async () => {
  server = await startGrpcEcho();
  const authority = await TestAuthority.create();
  const certificate = await authority.issue({ sans: [{ type: "dns", value: "mesh.test" }] });
  await planes.start(["one", "two", "back"], (ports) =>
    bootstrap(ports, certificate, authority.cert),
  );
});

afterAll(async () => {
  await planes.stop();
  server.stop();
});

function bootstrap(
  ports: Readonly<Record<Way | "back" | "admin", number>>,
  certificate: TestCertificate,
  ca: string,
): object {
  const retries = { retry_on: "unavailable,cancelled", num_retries: 3 };
  const routesTo = (cluster: string): object => ({
    http2_protocol_options: {},
    route_config: routeTable([
      {
        match: { prefix: "/test.Echo/Fail", grpc: {} },
        route: { cluster, retry_policy: retries },
      },
      {
        match: { prefix: "/test.Echo/", grpc: {} },
        route: { cluster, timeout: "0s", max_stream_duration: { grpc_timeout_header_max: "0s" } },
      },
      { match: { prefix: "/" }, direct_response: { status: 404 } },
    ]),
  });
  const common = {
    tls_certificates: [tlsCertificate(certificate)],
    validation_context: { trusted_ca: inline(ca) },
    alpn_protocols: ["h2"],
  };
  const mutual = downstreamTls(common, { require_client_certificate: true });
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("one", ports.one, routesTo("up")),
        httpListener("two", ports.two, routesTo("back")),
        overTls(httpListener("back", ports.back, routesTo("up")), mutual),
      ],
      clusters: [
        staticCluster("up", [server.port], http2Options()),
        staticCluster("back", [ports.back], {
          ...http2Options(),
          transport_socket: upstreamTls(common),
        }),
      ],
    },
  };
}

function told({ messages, details, ...rest }: CallOutcome): unknown {
  const hash = createHash("sha256");
  for (const message of messages) hash.update(message);
  // What the client itself says of a deadline has times in it.
  return {
    ...rest,
    details: details.replace(/ after .*/, ""),
    count: messages.length,
    hash: hash.digest("hex"),
  };
}

/** Of so many bytes, all different. */
function bytes(count: number): Buffer {
  return Buffer.alloc(count, "abcdefghijklmnopqrstuvwxyz0123456789");
}

interface Case {
  readonly name: string;
  readonly call: (client: GrpcEchoClient) => Promise<CallOutcome>;
  /** The status of the call. */
  readonly code: number;
}

const CASES: readonly Case[] = [
  { name: "a call", call: (client) => client.call("unary", [Buffer.from("hi")]), code: 0 },
  { name: "an empty message", call: (client) => client.call("unary", [Buffer.alloc(0)]), code: 0 },
  ...[65_536, 1 << 20, 4 << 20].map((count) => ({
    name: `a message of ${count} bytes`,
    call: (client: GrpcEchoClient) => client.call("unary", [bytes(count)]),
    code: 0,
  })),
  {
    name: "metadata",
    call: (client) => {
      const metadata = { "x-asked": "a b", "x-some-bin": Buffer.from([0, 1, 255]) };
      return client.call("unary", [bytes(3)], { metadata });
    },
    code: 0,
  },
  {
    name: "a stream from the client",
    call: (client) =>
      client.call(
        "collect",
        Array.from({ length: 200 }, () => bytes(10_000)),
      ),
    code: 0,
  },
  {
    name: "a stream from the server",
    call: (client) => client.call("repeat", [bytes(10_000)], { metadata: { "x-count": "200" } }),
    code: 0,
  },
  {
    name: "streams both ways",
    call: (client) =>
      client.call(
        "chat",
        Array.from({ length: 200 }, (_, at) => bytes(at * 50)),
      ),
    code: 0,
  },
  { name: "no messages at all", call: (client) => client.call("collect", []), code: 0 },
  {
    name: "a method that is not there",
    call: (client) => client.call("fail", [Buffer.from("12")], { metadata: { "x-key": "12" } }),
    code: 12,
  },
  ...[1, 2, 3, 5, 7, 13, 16].map((code) => ({
    name: `status ${code}`,
    call: (client: GrpcEchoClient) =>
      client.call("fail", [Buffer.from(String(code))], { metadata: { "x-key": `k${code}` } }),
    code,
  })),
];

async function through(port: number, { call }: Case): Promise<unknown> {
  const client = new GrpcEchoClient(port);
  try {
    return told(await call(client));
  } finally {
    client.close();
  }
}

describe.each(["one", "two"] as const)("gRPC through %s", (way) => {
  test.each(CASES)("$name", async (one) => {
    const { weft, envoy } = await planes.each(({ ports }) => through(ports[way], one));
    expect(weft).toMatchObject({ code: one.code });
    expect(weft).toEqual(envoy);
  });

  test("ends with its deadline, whoever notices first", async () => {
    const { weft, envoy } = await planes.each(async ({ ports }) => {
      const before = server.cancelled();
      const client = new GrpcEchoClient(ports[way]);
      const { code } = await client.call("never", [bytes(1)], { deadlineMs: 300 });
      await until(() => server.cancelled() > before, "the server to know");
      client.close();
      return code;
    });
    expect(weft).toBe(4);
    expect(weft).toBe(envoy);
  });

  test("tries again on a status that the policy names", async () => {
    const { weft, envoy } = await planes.each(async ({ name, ports }) => {
      const client = new GrpcEchoClient(ports[way]);
      const metadata = { "x-key": `again-${name}-${way}` };
      const outcome = await client.call("fail", [Buffer.from("14 2")], { metadata });
      client.close();
      return [outcome.code, outcome.messages.join(""), server.attempts.get(metadata["x-key"])];
    });
    expect(weft).toEqual([0, "attempt 3", 3]);
    expect(weft).toEqual(envoy);
  });

  test.each(["repeat", "chat"] as const)(
    "tells the server of a %s that is cancelled",
    async (method) => {
      await planes.each(async ({ ports }) => {
        const before = server.cancelled();
        const client = new GrpcEchoClient(ports[way]);
        const metadata = { "x-count": "100000" };
        const sent =
          method === "chat" ? Array.from({ length: 5000 }, () => bytes(1000)) : [bytes(1000)];
        const outcome = await client.call(method, sent, { metadata, cancelsAfter: 3 });
        expect(outcome.code).toBe(1);
        await until(() => server.cancelled() > before, "the server to know");
        client.close();
      });
    },
  );

  test("many calls at once over one connection", async () => {
    await planes.each(async (plane: Plane<Way | "back">) => {
      const client = new GrpcEchoClient(plane.ports[way]);
      const calls = Array.from({ length: 300 }, (_, at) => client.call("unary", [bytes(at * 37)]));
      const outcomes = await Promise.all(calls);
      expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => 0));
      expect(outcomes.map(({ messages }) => messages[0]?.length)).toEqual(
        outcomes.map((_, at) => at * 37),
      );
      client.close();
    });
  });
});
