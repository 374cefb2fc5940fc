import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { dynamicBootstrap } from "./dynamic-bootstrap.ts";
import { TestControlPlane } from "./test-control-plane.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { askTls } from "./tls-client.ts";
import { downstreamTls, inline, overTls, secret, tlsCertificate, upstreamTls } from "./tls-json.ts";

const SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const DIRECT = routeTable([{ match: { prefix: "/" }, direct_response: { status: 200 } }]);
const V3 = { resource_api_version: "V3" };

let ca: TestAuthority;
let first: TestCertificate;
let second: TestCertificate;

beforeAll(async () => {
  ca = await TestAuthority.create();
  first = await ca.issue({ subject: "CN=first" });
  second = await ca.issue({ subject: "CN=second" });
});

/** The common name of the certificate that a new connection is shown; "" when there is none. */
async function shown(port: number): Promise<string> {
  return (await askTls(port)).server;
}

function whenShown(port: number, name: string): Promise<true | undefined> {
  return until(async () => (await shown(port)) === name || undefined, `${name} to be shown`);
}

describe("secrets in files", () => {
  const both = new BothPlanes<"in" | "out">();
  let folder: string;

  /** Puts a version in place as Kubernetes does: all files of it at once, by one rename. */
  function publish(version: string, { cert, key }: { cert: string; key: string }): void {
    mkdirSync(join(folder, version), { recursive: true });
    writeFileSync(join(folder, version, "tls.crt"), cert);
    writeFileSync(join(folder, version, "tls.key"), key);
    writeFileSync(join(folder, version, "ca.crt"), ca.cert);
    symlinkSync(version, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  }

  function writeSecret(name: string, type: object): object {
    const path = join(folder, `${name}.yaml`);
    const resource = { "@type": SECRET, ...secret(name, type) };
    writeFileSync(path, JSON.stringify({ resources: [resource] }));
    return { name, sds_config: { path_config_source: { path }, ...V3 } };
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-secrets-"));
    for (const file of ["tls.crt", "tls.key", "ca.crt"]) {
      symlinkSync(join("..data", file), join(folder, file));
    }
    publish("v1", first);
    const watched = { watched_directory: { path: folder } };
    const certificate = writeSecret("cert", {
      tls_certificate: {
        certificate_chain: { filename: join(folder, "tls.crt") },
        private_key: { filename: join(folder, "tls.key") },
        ...watched,
      },
    });
    const validation = writeSecret("ca", {
      validation_context: { trusted_ca: { filename: join(folder, "ca.crt") }, ...watched },
    });
    const common = {
      tls_certificate_sds_secret_configs: [certificate],
      combined_validation_context: {
        default_validation_context: {},
        validation_context_sds_secret_config: validation,
      },
    };
    await both.start(["in", "out"], (ports) => ({
      node: { id: "a", cluster: "a" },
      admin: { address: socketAddress(ports.admin) },
      static_resources: {
        listeners: [
          overTls(
            httpListener("in", ports.in, { route_config: DIRECT }),
            downstreamTls(common, { require_client_certificate: false }),
          ),
          httpListener("out", ports.out, {
            route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: "in" } }]),
          }),
        ],
        clusters: [staticCluster("in", [ports.in], { transport_socket: upstreamTls(common) })],
      },
    }));
  });

  afterAll(async () => {
    await both.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("are taken, followed while requests go on, and kept when the new ones are wrong", async () => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      publish(`v1-${ports.in}`, first);
      await whenShown(ports.in, "first");
      const statuses = new Set<number>();
      let isOver = false;
      const load = Promise.all(
        Array.from({ length: 4 }, async () => {
          while (!isOver) {
            const answer = await fetch(`http://127.0.0.1:${ports.out}/`);
            await answer.arrayBuffer();
            statuses.add(answer.status);
          }
        }),
      );
      publish(`v2-${ports.in}`, second);
      await whenShown(ports.in, "second");
      publish(`v3-${ports.in}`, { cert: first.cert, key: second.key });
      const kept = await shown(ports.in);
      publish(`v4-${ports.in}`, first);
      await whenShown(ports.in, "first");
      isOver = true;
      await load;
      const updates = await stats("in.client_ssl_socket_factory.ssl_context_update_by_sds");
      return { kept, statuses: [...statuses], isUpdated: Object.values(updates)[0] !== 0 };
    });
    expect(weft).toEqual({ kept: "second", statuses: [200], isUpdated: true });
    expect(weft).toEqual(envoy);
  });
});

describe("secrets of a control plane", () => {
  let controlPlane: TestControlPlane;
  let plane: DataPlane & { readonly proxy: { readonly state: string } };
  let port: number;

  beforeEach(async () => {
    controlPlane = new TestControlPlane();
    await controlPlane.start();
    [port = 0] = await freePorts(1);
    plane = await startWeft(dynamicBootstrap(controlPlane.port));
  });

  afterEach(async () => {
    await plane.stop();
    controlPlane.stop();
  });

  const ADS = { ads: {}, ...V3 };

  function serve(options: object = {}, ads: object = ADS): void {
    const common = {
      tls_certificate_sds_secret_configs: [{ name: "cert", sds_config: ads }],
      ...options,
    };
    controlPlane.set("cluster", {});
    controlPlane.set("listener", {
      in: overTls(httpListener("in", port, { route_config: DIRECT }), downstreamTls(common)),
    });
  }

  function send(certificate: object): void {
    controlPlane.set("secret", { cert: secret("cert", certificate) });
  }

  test("warm their listener, and change under connections that stay", async () => {
    serve();
    await until(
      () => controlPlane.requests.some(({ resourceNames }) => resourceNames.includes("cert")),
      "the secret to be asked for",
    );
    await until(() => plane.proxy.state === "INITIALIZING", "the listener to warm");
    await expect(shown(port)).resolves.toBe("");
    send({ tls_certificate: tlsCertificate(first) });
    await whenShown(port, "first");
    expect(plane.proxy.state).toBe("LIVE");
    send({ tls_certificate: tlsCertificate(second) });
    await whenShown(port, "second");
    controlPlane.stop();
    expect(await shown(port)).toBe("second");
  });

  test("are refused in Envoy's words, and the old ones kept", async () => {
    serve();
    send({ tls_certificate: tlsCertificate(first) });
    await whenShown(port, "first");
    const wrong: readonly [type: object, words: string][] = [
      [
        { tls_certificate: tlsCertificate({ ...first, key: second.key }) },
        "Failed to load private key from <inline>, Cause: error:0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH",
      ],
      [
        { tls_certificate: { certificate_chain: inline("x"), private_key: inline(first.key) } },
        "Failed to load certificate chain from <inline>",
      ],
      [
        { tls_certificate: { certificate_chain: inline(first.cert) } },
        "Failed to load incomplete private key from path: ",
      ],
      [
        { tls_certificate: { certificate_chain: { filename: "/nope" }, private_key: inline("") } },
        "Invalid path: /nope",
      ],
      [{ validation_context: { trusted_ca: inline(ca.cert) } }, "is no certificate"],
      [{ generic_secret: { secret: inline("x") } }, "generic_secret: is not supported yet"],
    ];
    for (const [type, words] of wrong) {
      send(type);
      expect(await controlPlane.refusal("secret", words)).toContain("cert");
      expect(await shown(port)).toBe("first");
    }
    send({ tls_certificate: tlsCertificate(second) });
    await whenShown(port, "second");
  });

  test("that nobody sends are given up: the listener serves and refuses connections", async () => {
    serve({}, { ...ADS, initial_fetch_timeout: "0.2s" });
    await until(() => plane.proxy.state === "LIVE", "the listener to stop waiting");
    const answer = await until(async () => {
      const { error, isConnected } = await askTls(port);
      return error !== "ECONNREFUSED" && { isConnected };
    }, "the port to be open");
    expect(answer.isConnected).toBe(false);
    send({ tls_certificate: tlsCertificate(first) });
    await whenShown(port, "first");
  });

  test("may be an authority: who it does not know is refused from then on", async () => {
    const foreign = await TestAuthority.create("CN=foreign");
    serve({
      validation_context_sds_secret_config: { name: "ca", sds_config: ADS },
      tls_certificate_sds_secret_configs: [{ name: "cert", sds_config: ADS }],
    });
    const sendBoth = (authority: TestAuthority): void =>
      controlPlane.set("secret", {
        cert: secret("cert", { tls_certificate: tlsCertificate(first) }),
        ca: secret("ca", { validation_context: { trusted_ca: inline(authority.cert) } }),
      });
    sendBoth(ca);
    await until(async () => (await askTls(port, second)).status === "200", "the client to pass");
    sendBoth(foreign);
    const refused = async (): Promise<boolean> => (await askTls(port, second)).status === "";
    expect(await until(refused, "the client to be refused")).toBe(true);
  });
});

describe("secrets of an agent of their own", () => {
  test.each(["GRPC", "DELTA_GRPC"])("come over a Unix socket, by %s", async (apiType) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-sds-"));
    const path = join(folder, "socket");
    const agent = new TestControlPlane();
    await agent.start(path);
    const [port = 0] = await freePorts(1);
    const sdsConfig = {
      api_config_source: {
        api_type: apiType,
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
      },
      ...V3,
    };
    const names = ["default", "ROOTCA"].map((name) => ({ name, sds_config: sdsConfig }));
    agent.set("secret", {
      default: secret("default", { tls_certificate: tlsCertificate(first) }),
      ROOTCA: secret("ROOTCA", { validation_context: { trusted_ca: inline(ca.cert) } }),
    });
    const plane = await startWeft({
      node: { id: "a", cluster: "a" },
      static_resources: {
        listeners: [
          overTls(
            httpListener("in", port, { route_config: DIRECT }),
            downstreamTls({
              tls_certificate_sds_secret_configs: [names[0]],
              validation_context_sds_secret_config: names[1],
            }),
          ),
        ],
        clusters: [
          {
            name: "sds-grpc",
            type: "STATIC",
            http2_protocol_options: {},
            load_assignment: {
              cluster_name: "sds-grpc",
              endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
            },
          },
        ],
      },
    });
    try {
      await whenShown(port, "first");
      agent.set("secret", {
        default: secret("default", { tls_certificate: tlsCertificate(second) }),
      });
      await whenShown(port, "second");
    } finally {
      await plane.stop();
      agent.stop();
      rmSync(folder, { recursive: true, force: true });
    }
    expect(agent.requests.every(({ errorDetail }) => errorDetail === undefined)).toBe(true);
  });
});
