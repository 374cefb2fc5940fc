import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

/** What an Envoy that gets everything over ADS is told at its start. */
export interface EnvoyOptions {
  readonly program: string;
  readonly nodeId: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly adsPort: number;
  /** The state of the world unless it says otherwise. */
  readonly apiType?: "GRPC" | "DELTA_GRPC";
}

const LOG_FILE = "log";

/** A real Envoy; its owner stops it. */
export class EnvoyProcess {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #admin: string;

  private constructor(child: ChildProcess, folder: string, admin: string) {
    this.#child = child;
    this.#folder = folder;
    this.#admin = admin;
  }

  /** Starts one that asks a control plane, and waits until its admin port answers. */
  static async start(options: EnvoyOptions): Promise<EnvoyProcess> {
    return EnvoyProcess.startWith(options.program, bootstrapOf(options));
  }

  /** The same with a whole bootstrap, whose admin address has any port. */
  static async startWith(program: string, given: object): Promise<EnvoyProcess> {
    const folder = mkdtempSync(join(tmpdir(), "weft-envoy-"));
    const bootstrap = join(folder, "bootstrap.json");
    const adminFile = join(folder, "admin");
    const logFile = join(folder, LOG_FILE);
    writeFileSync(bootstrap, JSON.stringify(given));
    const child = spawn(
      program,
      [
        "-c",
        bootstrap,
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
        "--admin-address-path",
        adminFile,
        "--file-flush-interval-msec",
        "20",
        "--log-path",
        logFile,
        "--log-level",
        "warning",
      ],
      { stdio: "ignore" },
    );
    try {
      const admin = await until(() => {
        if (child.exitCode !== null) {
          throw new Error(`Envoy ended: ${readFileSync(logFile, "utf8")}`);
        }
        // There before it is written.
        return existsSync(adminFile) && /^\S+:\d+$/m.exec(readFileSync(adminFile, "utf8"))?.[0];
      }, "Envoy's admin address");
      return new EnvoyProcess(child, folder, admin);
    } catch (error) {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async admin(path: string): Promise<string> {
    return (await fetch(`http://${this.#admin}${path}`)).text();
  }

  /** The port that a listener is bound to, once Envoy accepts there. */
  async listenerPort(name: string): Promise<number> {
    const port = await until(() => this.#listedPort(name), `Envoy's listener ${name}`);
    // Listed before the workers have it.
    await until(() => accepts(port), `Envoy to accept on ${port}`);
    return port;
  }

  async #listedPort(name: string): Promise<number | undefined> {
    if (this.#child.exitCode !== null) {
      throw new Error(`Envoy ended: ${readFileSync(join(this.#folder, LOG_FILE), "utf8")}`);
    }
    const { listener_statuses: listeners = [] } = JSON.parse(
      await this.admin("/listeners?format=json"),
    ) as {
      listener_statuses?: {
        name: string;
        local_address: { socket_address: { port_value: number } };
      }[];
    };
    return listeners.find((listener) => listener.name === name)?.local_address.socket_address
      .port_value;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

function bootstrapOf({ nodeId, metadata, adsPort, apiType = "GRPC" }: EnvoyOptions): object {
  const ads = { ads: {}, resource_api_version: "V3" };
  return {
    node: { id: nodeId, cluster: "test", metadata: metadata ?? {} },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      lds_config: ads,
      cds_config: ads,
      ads_config: {
        api_type: apiType,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [
              {
                lb_endpoints: [
                  {
                    endpoint: {
                      address: { socket_address: { address: "127.0.0.1", port_value: adsPort } },
                    },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}
