import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiHooks } from "../../src/apiserver/api-hooks.ts";
import { ApiServer } from "../../src/apiserver/api-server.ts";
import { buildKubeconfig } from "../../src/apiserver/kubeconfig.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createServingCertificate } from "../../src/identity/serving-certificate.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";

/** An API over an empty storage, and a home whose kubeconfig leads to it. */
export class RealApi {
  readonly storage = new MemoryStorage({ clock: nodeClock });
  readonly home = mkdtempSync(join(tmpdir(), "weft-cli-real-"));
  #server: ApiServer | undefined;

  async start(hooks: ApiHooks = {}): Promise<void> {
    const tls = await createServingCertificate({ clock: nodeClock, hosts: ["127.0.0.1"] });
    const token = "a-token";
    const server = new ApiServer({
      storage: this.storage,
      clock: nodeClock,
      log: silentLogger,
      tls,
      token,
      version: "test",
      hooks,
    });
    this.#server = server;
    const { host, port } = await server.start();
    const { caCertificate } = tls;
    const kubeconfig = buildKubeconfig({ host, port, caCertificate, token });
    writeFileSync(join(this.home, "kubeconfig"), kubeconfig);
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.storage.close();
    rmSync(this.home, { recursive: true });
  }
}
