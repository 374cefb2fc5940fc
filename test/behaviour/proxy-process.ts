import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../controlplane/until.ts";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What one proxy is started with. */
export interface ProxyOptions {
  /** An Envoy to start; absent: weft's own proxy. */
  readonly envoy: string | undefined;
  /** Names its files. */
  readonly name: string;
  readonly folder: string;
  readonly nodeId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly podIp: string;
  readonly adsPort: number;
}

const ADMIN_PORT = 15_000;
const LOG_TAIL = 2_000;

/** One data plane process; both kinds take the same bootstrap file. */
export class ProxyProcess {
  readonly #child: ChildProcess;
  readonly #options: ProxyOptions;
  readonly #log: string;

  private constructor(child: ChildProcess, options: ProxyOptions, log: string) {
    this.#child = child;
    this.#options = options;
    this.#log = log;
  }

  /** Resolves when it says that it is ready; what it wrote is in the error otherwise. */
  static async start(options: ProxyOptions): Promise<ProxyProcess> {
    const file = join(options.folder, `${options.name}.json`);
    const log = join(options.folder, `${options.name}.log`);
    writeFileSync(file, JSON.stringify(bootstrapOf(options)));
    const [command, args] =
      options.envoy === undefined
        ? [process.execPath, [join(repository, "bin/weft"), "proxy", "-c", file]]
        : [
            options.envoy,
            ["-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"],
          ];
    const output = openSync(log, "w");
    const child = spawn(command, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    const made = new ProxyProcess(child, options, log);
    try {
      await until(() => made.#isReady(), `${options.name} to be ready`);
      return made;
    } catch (error) {
      await made.stop();
      const text = readFileSync(log, "utf8").slice(-LOG_TAIL);
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${text}`);
    }
  }

  /** The end of what it wrote so far. */
  logTail(): string {
    return readFileSync(this.#log, "utf8").slice(-LOG_TAIL);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`exit ${this.#child.exitCode}`);
    const url = `http://${this.#options.podIp}:${ADMIN_PORT}/ready`;
    const answer = await fetch(url).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  }
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}

function bootstrapOf({ nodeId, metadata, podIp, adsPort }: ProxyOptions): object {
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: nodeId, cluster: "behaviour", metadata },
    admin: { address: socketAddress(podIp, ADMIN_PORT) },
    dynamic_resources: {
      lds_config: ads,
      cds_config: ads,
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: "xds-grpc",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "xds-grpc",
            endpoints: [
              { lb_endpoints: [{ endpoint: { address: socketAddress("127.0.0.1", adsPort) } }] },
            ],
          },
        },
      ],
    },
  };
}
