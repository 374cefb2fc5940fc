import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { findProgram } from "../programs.ts";
import { REFUSED_BOOTSTRAPS } from "./refused-bootstraps.ts";

const envoyProgram = findProgram("envoy");

describe("parseBootstrap()", () => {
  test.each(REFUSED_BOOTSTRAPS)("refuses $name", ({ bootstrap, message }) => {
    const parsed = parseBootstrap(JSON.stringify(bootstrap));
    expect(parsed.ok ? "accepted" : parsed.issues.map(formatIssue).join("\n")).toContain(message);
  });

  test("keeps listeners apart that have no name", () => {
    const chain = { filters: [tcpProxy] };
    const listeners = [1, 2].map((port) => ({
      address: { socket_address: { address: "127.0.0.1", port_value: port } },
      filter_chains: [chain],
    }));
    const parsed = parseBootstrap(JSON.stringify({ static_resources: { listeners } }));
    const names = parsed.ok ? parsed.value.listeners.map(({ name }) => name) : parsed.issues;
    expect(names).toEqual(["127.0.0.1:1", "127.0.0.1:2"]);
  });
});

const tcpProxy = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "t",
    cluster: "nobody",
  },
};

describe.skipIf(envoyProgram === undefined)("Envoy", () => {
  test.concurrent.each(REFUSED_BOOTSTRAPS)("refuses $name too", async ({ bootstrap }) => {
    const flags = ["--mode", "validate", "--use-dynamic-base-id", "-l", "off"];
    const args = ["--config-yaml", JSON.stringify(bootstrap), ...flags];
    const child = spawn(envoyProgram ?? "", args, { stdio: "ignore" });
    expect(await once(child, "exit")).toEqual([1, null]);
  });
});
