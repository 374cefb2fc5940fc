import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { findGrpcCore, findProgram } from "../../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes } from "../both-planes.ts";
import { freePorts } from "../data-plane.ts";
import { http2Options } from "../http2-cluster.ts";
import { TestAuthority } from "../test-pki.ts";
import { downstreamTls, inline, overTls, tlsCertificate, upstreamTls } from "../tls-json.ts";

const CASE_MS_MAX = 40_000;
const CORE_CLIENT = join(dirname(fileURLToPath(import.meta.url)), "grpc_core_client.py");

const client = findProgram("grpc-interop-client");
const server = findProgram("grpc-interop-server");
const core = findGrpcCore();
const run = promisify(execFile);

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

/** Through how many proxies a call goes; `mtls`: from one to the other over mutual TLS, as sidecars do. */
const WAYS = ["once", "twice", "mtls"] as const;
type Way = (typeof WAYS)[number];

/** Who runs a case against a port of 127.0.0.1, with which program and arguments. */
const CLIENTS: Readonly<
  Record<
    string,
    { readonly isMissing: boolean; readonly run: (port: number, name: string) => Promise<unknown> }
  >
> = {
  Go: {
    isMissing: client === undefined,
    run: (port, name) =>
      run(
        client ?? "",
        [
          "--server_host=127.0.0.1",
          `--server_port=${port}`,
          "--use_tls=false",
          `--test_case=${name}`,
        ],
        { timeout: CASE_MS_MAX },
      ),
  },
  "the C core": {
    isMissing: core === undefined,
    run: (port, name) =>
      run(core?.python ?? "", [CORE_CLIENT, `127.0.0.1:${port}`, name], {
        timeout: CASE_MS_MAX,
        env: { ...process.env, PYTHONPATH: core?.packages ?? "" },
      }),
  },
};

describe.skipIf(server === undefined)("gRPC's interop cases", () => {
  const planes = new BothPlanes<Way | "inner">();
  let child: ChildProcess;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    child = spawn(server ?? "", [`--port=${port}`], { stdio: "ignore" });
    await until(() => canConnect(port), "the interop server to listen");
    const authority = await TestAuthority.create();
    const certificate = await authority.issue({ sans: [{ type: "dns", value: "a.test" }] });
    const common = {
      tls_certificates: [tlsCertificate(certificate)],
      validation_context: { trusted_ca: inline(authority.cert) },
      alpn_protocols: ["h2"],
    };
    const mutual = downstreamTls(common, { require_client_certificate: true });
    await planes.start([...WAYS, "inner"], (ports) => {
      const through = (name: Way | "inner", cluster: string): object =>
        httpListener(name, ports[name], {
          route_config: routeTable([{ match: { prefix: "/" }, route: { cluster, timeout: "0s" } }]),
        });
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            through("once", "server"),
            through("twice", "once"),
            through("mtls", "inner"),
            overTls(through("inner", "server"), mutual),
          ],
          clusters: [
            staticCluster("server", [port], http2Options()),
            staticCluster("once", [ports.once], http2Options()),
            staticCluster("inner", [ports.inner], {
              ...http2Options(),
              transport_socket: upstreamTls(common),
            }),
          ],
        },
      };
    });
  }, 60_000);

  afterAll(async () => {
    await planes.stop();
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  });

  describe.each(Object.keys(CLIENTS))("by %s", (who) => {
    const { isMissing = true, run: runCase } = CLIENTS[who] ?? {};
    describe.skipIf(isMissing).each(WAYS)("through the proxy: %s", (way) => {
      test.each(CASES)(
        "%s",
        async (name) => {
          const { weft, envoy } = await planes.each(async (plane) => {
            const tryCase = (): Promise<string> | undefined =>
              runCase?.(plane.ports[way], name).then(
                () => "passed",
                (error: unknown) => String((error as { stderr?: unknown }).stderr),
              );
            const outcome = await tryCase();
            // Two Envoys in a row lose the race for a deadline of 1 ms now and then.
            return outcome !== "passed" && plane.name === "envoy" ? tryCase() : outcome;
          });
          expect({ weft, envoy }).toEqual({ weft: "passed", envoy: "passed" });
        },
        3 * CASE_MS_MAX,
      );
    });
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
