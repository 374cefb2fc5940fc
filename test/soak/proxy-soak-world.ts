import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filter, httpListener, routeTable } from "../proxy/bootstrap-json.ts";
import { freePorts } from "../proxy/data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds } from "../proxy/dynamic-bootstrap.ts";
import { type GrpcEcho, startGrpcEcho } from "../proxy/grpc-echo.ts";
import { http2Options, protocolOptions } from "../proxy/http2-cluster.ts";
import { TestControlPlane } from "../proxy/test-control-plane.ts";
import { TestAuthority, type TestCertificate } from "../proxy/test-pki.ts";
import { downstreamTls, overTls, secret, tlsCertificate } from "../proxy/tls-json.ts";
import { SoakUpstream } from "./proxy-soak-upstream.ts";

const TYPE = "type.googleapis.com/envoy.extensions";
const SECRET = `${TYPE}.transport_sockets.tls.v3.Secret`;
const ADS = { ads: {}, resource_api_version: "V3" };
/** Certificates that take turns. */
const CERTIFICATES = 3;
/** Ports that a listener which moves takes in turn, so that the one before has been let go. */
const MOVING_PORTS = 4;

/** Where the clients of a soak go. */
export interface SoakPorts {
  /** HTTP/1.1, HTTP/2, gRPC and WebSocket. */
  readonly plain: number;
  /** TLS with a certificate in files. */
  readonly files: number;
  /** TLS with a certificate of the control plane. */
  readonly ads: number;
}

/**
 * What is around a proxy in a soak: its control plane, its upstreams, its files, all of which change.
 * What comes with a change has a name that was never there before, so that whatever is kept by name
 * for ever shows.
 */
export class ProxySoakWorld {
  readonly ports: SoakPorts;
  readonly #moving: readonly number[];
  readonly #controlPlane: TestControlPlane;
  readonly #grpc: GrpcEcho;
  readonly #steady: SoakUpstream;
  readonly #visitor: SoakUpstream;
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-soak-"));
  readonly #certificates: readonly TestCertificate[];
  #turn = 0;
  #rotations = 0;

  private constructor(
    ports: readonly number[],
    parts: readonly [TestControlPlane, GrpcEcho, SoakUpstream, SoakUpstream],
    certificates: readonly TestCertificate[],
  ) {
    const [plain = 0, files = 0, ads = 0, ...moving] = ports;
    this.ports = { plain, files, ads };
    this.#moving = moving;
    [this.#controlPlane, this.#grpc, this.#steady, this.#visitor] = parts;
    this.#certificates = certificates;
    this.rotateCertificates();
    this.change();
  }

  static async start(): Promise<ProxySoakWorld> {
    const ca = await TestAuthority.create();
    const certificates: TestCertificate[] = [];
    while (certificates.length < CERTIFICATES) certificates.push(await ca.issue());
    const controlPlane = new TestControlPlane();
    await controlPlane.start();
    const [steady, visitor] = [new SoakUpstream(), new SoakUpstream()];
    await steady.start();
    await visitor.start();
    const parts = [controlPlane, await startGrpcEcho(), steady, visitor] as const;
    return new ProxySoakWorld(await freePorts(3 + MOVING_PORTS), parts, certificates);
  }

  bootstrap(): object {
    return dynamicBootstrap(this.#controlPlane.port);
  }

  /** Where the listener is that was there last. */
  get movingPort(): number {
    return this.#moving[this.#turn % this.#moving.length] ?? 0;
  }

  get #logPath(): string {
    return join(this.#folder, "access.log");
  }

  /** A cluster, a route and a listener go, others come, and those that stay change. */
  change(): void {
    const turn = ++this.#turn;
    const own = `own${turn}`;
    const plane = this.#controlPlane;
    // What the control plane of a test remembers is not the proxy's.
    plane.requests.length = 0;
    plane.set("cluster", {
      up: edsCluster("up", HTTP1),
      [own]: edsCluster(own, HTTP1),
      grpc: edsCluster("grpc", http2Options({}, IDLE)),
    });
    this.#assign();
    const idle = { stream_idle_timeout: `${60 + (turn % 5)}s` };
    const { plain, files, ads } = this.ports;
    plane.set("listener", {
      plain: this.#listener("plain", plain, idle),
      files: overTls(this.#listener("files", files), downstreamTls(this.#fromFiles())),
      ads: overTls(this.#listener("ads", ads, idle), downstreamTls(FROM_ADS)),
      [own]: this.#listener(own, this.movingPort),
    });
    const routes = [
      { match: { path: `/${own}` }, route: { cluster: own } },
      { match: { prefix: "/test.Echo/" }, route: { cluster: "grpc", timeout: "0s" } },
      { match: { prefix: "/" }, route: { cluster: "up", timeout: "0s", retry_policy: RETRIES } },
    ];
    plane.set("route", { table: { ...routeTable(routes), name: "table" } });
  }

  #assign(): void {
    const hosts = [this.#steady.port, ...(this.#visitor.isUp ? [this.#visitor.port] : [])];
    const own = `own${this.#turn}`;
    this.#controlPlane.set("endpoint", {
      up: assignment("up", hosts),
      [own]: assignment(own, hosts),
      grpc: assignment("grpc", [this.#grpc.port]),
    });
  }

  #listener(name: string, port: number, options: object = {}): object {
    const format = { text_format_source: { inline_string: "%REQ(:PATH)% %RESPONSE_CODE%\n" } };
    const log = { "@type": `${TYPE}.access_loggers.file.v3.FileAccessLog` };
    return httpListener(name, port, {
      ...rds("table"),
      codec_type: "AUTO",
      access_log: [
        { name: "file", typed_config: { ...log, path: this.#logPath, log_format: format } },
      ],
      upgrade_configs: [{ upgrade_type: "websocket" }],
      http_filters: [
        filter("http.compressor.v3.Compressor", {
          compressor_library: {
            name: "gzip",
            typed_config: { "@type": `${TYPE}.compression.gzip.compressor.v3.Gzip` },
          },
        }),
        filter("http.router.v3.Router", {}),
      ],
      ...options,
    });
  }

  #fromFiles(): object {
    const path = join(this.#folder, "certificate.yaml");
    const source = { path_config_source: { path }, resource_api_version: "V3" };
    return { tls_certificate_sds_secret_configs: [{ name: "file", sds_config: source }] };
  }

  /** The next certificate takes the place of the last, in the files and in the control plane. */
  rotateCertificates(): void {
    const next = this.#certificates[this.#rotations++ % this.#certificates.length];
    if (next === undefined) return;
    const type = { tls_certificate: tlsCertificate(next) };
    this.#controlPlane.set("secret", { ads: secret("ads", type) });
    const resources = [{ "@type": SECRET, ...secret("file", type) }];
    const fresh = join(this.#folder, "fresh.yaml");
    writeFileSync(fresh, JSON.stringify({ resources }));
    renameSync(fresh, join(this.#folder, "certificate.yaml"));
  }

  /** One of the upstreams goes without a word, and comes back the next time. */
  async moveUpstream(): Promise<void> {
    if (this.#visitor.isUp) await this.#visitor.stop();
    else await this.#visitor.start();
    this.#assign();
  }

  /** Moves the access log away; whether there was one. The proxy is to open another. */
  rotateLog(): boolean {
    if (!existsSync(this.#logPath)) return false;
    // The one before is deleted by that: the proxy must have let go of it.
    renameSync(this.#logPath, join(this.#folder, "access.log.1"));
    return true;
  }

  async stop(): Promise<void> {
    this.#controlPlane.stop();
    this.#grpc.stop();
    await this.#steady.stop();
    await this.#visitor.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** So that nothing is left open when nobody asks. */
const IDLE = { idle_timeout: "1s" };
const HTTP1 = protocolOptions({
  common_http_protocol_options: IDLE,
  explicit_http_config: { http_protocol_options: {} },
});

/** One upstream goes while it is asked. */
const RETRIES = { retry_on: "connect-failure,reset,refused-stream", num_retries: 3 };

const FROM_ADS = {
  alpn_protocols: ["h2", "http/1.1"],
  tls_certificate_sds_secret_configs: [{ name: "ads", sds_config: ADS }],
};
