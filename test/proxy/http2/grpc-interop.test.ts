import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { findProgram } from "../../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes } from "../both-planes.ts";
import { freePorts } from "../data-plane.ts";
import { isHttp2Built } from "./h2-built.ts";

const client = findProgram("grpc-interop-client");
const server = findProgram("grpc-interop-server");
const run = promisify(execFile);

const HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const HTTP2 = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": HTTP_OPTIONS,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** gRPC's own test cases (grpc/doc/interop-test-descriptions.md), without those of Google's cloud. */
const CASES = [
  "empty_unary",
  "large_unary",
  "client_streaming",
  "server_streaming",
  "ping_pong",
  "empty_stream",
  "timeout_on_sleeping_server",
  "cancel_after_begin",
  "cancel_after_first_response",
  "status_code_and_message",
  "special_status_message",
  "custom_metadata",
  "unimplemented_method",
  "unimplemented_service",
];

const isMissing = client === undefined || server === undefined || !isHttp2Built();

describe.skipIf(isMissing)("gRPC's interop client", () => {
  const planes = new BothPlanes<"once" | "twice">();
  let child: ChildProcess;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    child = spawn(server ?? "", [`--port=${port}`], { stdio: "ignore" });
    await until(() => canConnect(port), "the interop server to listen");
    await planes.start(["once", "twice"], (ports) => {
      const through = (name: "once" | "twice", cluster: string): object =>
        httpListener(name, ports[name], {
          route_config: routeTable([{ match: { prefix: "/" }, route: { cluster, timeout: "0s" } }]),
        });
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [through("once", "server"), through("twice", "once")],
          clusters: [
            staticCluster("server", [port], HTTP2),
            staticCluster("once", [ports.once], HTTP2),
          ],
        },
      };
    });
  }, 30_000);

  afterAll(async () => {
    await planes.stop();
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });

  describe.each(["once", "twice"] as const)("through the proxy %s", (hops) => {
    test.each(CASES)(
      "%s",
      async (name) => {
        const { weft, envoy } = await planes.each(async ({ ports }) => {
          const where = ["--server_host=127.0.0.1", `--server_port=${ports[hops]}`];
          const args = [...where, "--use_tls=false", `--test_case=${name}`];
          return await run(client ?? "", args, { timeout: 20_000 }).then(
            () => "passed",
            (error: unknown) => String((error as { stderr?: unknown }).stderr),
          );
        });
        expect({ weft, envoy }).toEqual({ weft: "passed", envoy: "passed" });
      },
      60_000,
    );
  });
});

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
