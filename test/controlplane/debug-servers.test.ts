import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { DebugServers } from "../../src/controlplane/debug-servers.ts";
import { textPage } from "../../src/controlplane/page.ts";
import { PageRenderer } from "../../src/controlplane/page-renderer.ts";
import { createLogger } from "../../src/telemetry/log.ts";

let other: Server;
let taken: string;
let said: string[];
let servers: DebugServers;

beforeEach(async () => {
  other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  taken = `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  said = [];
  servers = new DebugServers({
    pages: { "/ready": { get: () => textPage("ready\n") } },
    renderer: new PageRenderer(nodeClock),
    clock: nodeClock,
    log: createLogger({
      clock: nodeClock,
      write: (line) => said.push(line),
      level: () => "warn",
    }),
  });
});

afterEach(async () => {
  await servers.stop();
  await new Promise((resolve) => other.close(resolve));
});

describe("DebugServers", () => {
  it("goes on without an address that nobody named, and says so", async () => {
    await servers.start([
      { listener: "http", addr: taken, isOptional: true },
      { listener: "monitoring", addr: "127.0.0.1:0" },
    ]);
    expect(servers.portOf("http")).toBe(0);
    const url = `http://127.0.0.1:${servers.portOf("monitoring")}/ready`;
    expect(await (await fetch(url)).text()).toBe("ready\n");
    expect(said).toEqual([
      expect.stringContaining(
        `cannot listen on ${taken}: another program has it; going on without it, choose another with --http-addr`,
      ),
    ]);
  });

  it("refuses an address that somebody named", async () => {
    const start = servers.start([{ listener: "monitoring", addr: taken }]);
    await expect(start).rejects.toThrow(`cannot listen on ${taken}: another program has it`);
    expect(said).toEqual([]);
  });
});
