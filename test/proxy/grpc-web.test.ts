import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { type GrpcEcho, startGrpcEcho } from "./grpc-echo.ts";
import { GrpcWebEchoClient, type WebOutcome } from "./grpc-web-client.ts";
import { http2Options } from "./http2-cluster.ts";

/** Connect's client of gRPC-Web, and a server of gRPC for Node, with a proxy between them. */

const planes = new BothPlanes<"web" | "nowhere">();
let server: GrpcEcho;

beforeAll(async () => {
  server = await startGrpcEcho();
  const [closed = 0] = await freePorts(1);
  const manager = (cluster: string): object => ({
    route_config: routeTable([{ match: { prefix: "/" }, route: { cluster } }]),
    http_filters: [filter("http.grpc_web.v3.GrpcWeb", {}), filter("http.router.v3.Router", {})],
  });
  await planes.start(["web", "nowhere"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("web", ports.web, manager("up")),
        httpListener("nowhere", ports.nowhere, manager("closed")),
      ],
      clusters: [
        staticCluster("up", [server.port], http2Options()),
        staticCluster("closed", [closed], http2Options()),
      ],
    },
  }));
});

afterAll(async () => {
  await planes.stop();
  server.stop();
});

const LONG = "a long way ".repeat(20_000);

const CALLS: readonly {
  readonly name: string;
  readonly run: (client: GrpcWebEchoClient) => Promise<WebOutcome>;
  readonly expected: WebOutcome;
}[] = [
  {
    name: "a call",
    run: (client) => client.call("Unary", "hi", { "x-asked": "a" }),
    expected: { messages: ["hi"], told: "a", trailer: "t" },
  },
  {
    name: "an empty message",
    run: (client) => client.call("Unary", ""),
    expected: { messages: [""], told: null, trailer: "t" },
  },
  {
    name: "a long message",
    run: (client) => client.call("Unary", LONG),
    expected: { messages: [LONG], told: null, trailer: "t" },
  },
  {
    name: "a stream",
    run: (client) => client.call("Repeat", "hi", { "x-count": "200" }),
    expected: { messages: Array.from({ length: 200 }, () => "hi"), told: null, trailer: null },
  },
  {
    name: "a stream of long messages",
    run: (client) => client.call("Repeat", LONG, { "x-count": "20" }),
    expected: { messages: Array.from({ length: 20 }, () => LONG), told: null, trailer: null },
  },
  {
    name: "a stream of nothing",
    run: (client) => client.call("Repeat", "hi", { "x-count": "0" }),
    expected: { messages: [], told: null, trailer: null },
  },
];

describe("a client of gRPC-Web", () => {
  test.each(CALLS)("$name", async ({ run, expected }) => {
    const { weft, envoy } = await planes.each(({ ports }) => run(new GrpcWebEchoClient(ports.web)));
    expect(weft).toEqual(expected);
    expect(weft).toEqual(envoy);
  });

  test("reads how a call failed", async () => {
    const { weft, envoy } = await planes.each(({ ports, name }) =>
      // The two bytes before the string are a line end and, for nine characters, a tab.
      new GrpcWebEchoClient(ports.web).call("Fail", "5 1000000", { "x-key": `web-${name}` }),
    );
    expect(weft.error).toBe("NotFound: failed 100 % with \n\t5");
    expect(weft).toEqual(envoy);
  });

  test("reads that there is no upstream", async () => {
    const { weft, envoy } = await planes.each(({ ports }) =>
      new GrpcWebEchoClient(ports.nowhere).call("Unary", "hi"),
    );
    expect(weft.error).toMatch(/^Unavailable: /);
    expect(weft).toEqual(envoy);
  });

  test("makes many calls at once", async () => {
    const { weft } = await planes.each(async ({ ports }) => {
      const client = new GrpcWebEchoClient(ports.web);
      const texts = Array.from({ length: 100 }, (_, at) => String(at).repeat(at));
      const answers = await Promise.all(texts.map((text) => client.call("Unary", text)));
      expect(answers.map(({ messages }) => messages[0])).toEqual(texts);
      return answers.length;
    });
    expect(weft).toBe(100);
  });
});
