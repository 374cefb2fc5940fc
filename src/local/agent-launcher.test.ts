import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentLauncher } from "./agent-launcher.ts";

describe("AgentLauncher", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "weft-launcher-"));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function prepare(
    env: Record<string, string>,
    annotations: Record<string, string> = {},
  ): Promise<unknown> {
    const launcher = new AgentLauncher({
      proxy: "weft",
      envoyPath: undefined,
      weftScript: "weft.js",
      discoveryAddress: () => "127.0.0.1:15010",
      logLevel: "info",
      env,
    });
    await launcher.prepare({
      pod: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p", annotations },
        spec: { containers: [] },
      },
      addresses: { podIp: "127.65.0.7", appAddress: "127.65.128.7" },
      hasApp: true,
      hostPorts: [],
      directory,
    });
    return JSON.parse(await readFile(join(directory, "agent.json"), "utf8"));
  }

  it.each([
    [{}, true],
    [{ ISTIO_DELTA_XDS: "true" }, true],
    [{ ISTIO_DELTA_XDS: "false" }, false],
  ])("has proxies ask for what changed unless it is told otherwise: %j", async (env, deltaXds) => {
    expect(await prepare(env)).toMatchObject({ podName: "p", deltaXds });
  });

  it("refuses what is neither", async () => {
    await expect(prepare({ ISTIO_DELTA_XDS: "maybe" })).rejects.toThrow(
      'ISTIO_DELTA_XDS is "maybe" and must be "true" or "false"',
    );
  });

  it("hands on what the pod's annotation says of its proxy, and refuses what cannot be read", async () => {
    const config = (text: string): Record<string, string> => ({ "proxy.istio.io/config": text });
    const tracing = { zipkin: { address: "z:9411" }, sampling: 5 };
    expect(
      await prepare({}, config("tracing: { zipkin: { address: z:9411 }, sampling: 5 }")),
    ).toMatchObject({
      proxyConfig: { tracing },
    });
    expect(await prepare({})).not.toHaveProperty("proxyConfig");
    await expect(prepare({}, config("tracing: { sampling: 500 }"))).rejects.toThrow(
      "metadata.annotations[proxy.istio.io/config].tracing.sampling: must be",
    );
  });
});
