import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { claimPodNetwork } from "../../src/local/claim-pod-network.ts";
import { createHome, removeHome } from "./mesh-processes.ts";

const WEFT = join(dirname(fileURLToPath(import.meta.url)), "../../bin/weft");

it("`weft agent` ends when its proxy cannot start, so that it is started again", async () => {
  const home = createHome();
  const claim = await claimPodNetwork(home);
  const podIp = claim.cidr.replace("0.0/16", "0.9");
  const holder = createServer().listen(15_000, podIp);
  await once(holder, "listening");
  const file = join(home, "agent.json");
  const config = {
    proxy: "weft",
    type: "router",
    podName: "p",
    namespace: "default",
    podIp,
    serviceAccount: "default",
    labels: {},
    hostPorts: [],
    discoveryAddress: "127.0.0.1:1",
    directory: home,
    adminPort: 15_000,
    healthPort: 15_021,
    logLevel: "info",
    drainMs: 100,
  };
  writeFileSync(file, JSON.stringify(config));
  const agent = spawn(process.execPath, [WEFT, "agent", "--config", file]);
  let stderr = "";
  agent.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  const timer = setTimeout(() => agent.kill("SIGKILL"), 10_000);
  const [exitCode] = (await once(agent, "exit")) as [number | null];
  clearTimeout(timer);
  holder.close();
  await claim.release();
  removeHome(home);
  expect(stderr).toContain("cannot bind admin address");
  expect(exitCode).toBe(2);
});
