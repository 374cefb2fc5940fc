import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { ProxyProcess } from "../behaviour/proxy-process.ts";
import { freeSubnet } from "./loopback-block.ts";
import type { Planes } from "./planes.ts";
import { sidecarConfig } from "./sidecar-config.ts";
import { TextSource } from "./text-source.ts";

/** What a mesh around a control plane in this process is made of. */
export interface InnerMeshOptions {
  readonly planes: Planes;
  readonly clock: Clock;
  /** What is there at the start; by the subnet that addresses are to be in. */
  readonly objects: (subnet: string) => ReadonlyMap<string, string>;
}

/** A control plane in this process, with its clock and source in the test's hand, and real proxies. */
export class InnerMesh {
  readonly source = new TextSource();
  readonly controlPlane: ControlPlane;
  /** The /24 of its addresses. */
  readonly subnet: string;
  /** By plane: the pod whose proxy is asked. */
  readonly pods: ReadonlyMap<string, string>;
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-inner-"));
  readonly #proxies: ProxyProcess[] = [];

  private constructor({ planes, clock }: InnerMeshOptions, subnet: string) {
    this.subnet = subnet;
    this.pods = new Map(Object.keys(planes).map((plane, at) => [plane, `${subnet}.${20 + at}`]));
    this.controlPlane = new ControlPlane({
      source: this.source,
      grpcAddr: "127.0.0.1:0",
      httpAddr: "127.0.0.1:0",
      clock,
      prng: createPrng(1),
      log: silentLogger,
    });
  }

  static async start(options: InnerMeshOptions): Promise<InnerMesh> {
    const mesh = new InnerMesh(options, await freeSubnet());
    try {
      mesh.source.replace(options.objects(mesh.subnet));
      await mesh.controlPlane.start();
      for (const [plane, { envoy, variant }] of Object.entries(options.planes)) {
        const ip = mesh.pods.get(plane) ?? "";
        const discoveryAddress = `127.0.0.1:${mesh.controlPlane.ports.grpc}`;
        const folder = mesh.#folder;
        const config = sidecarConfig({ name: plane, ip, envoy, discoveryAddress, folder });
        mesh.#proxies.push(await ProxyProcess.start({ envoy, folder, config, variant }));
      }
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await this.controlPlane.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
