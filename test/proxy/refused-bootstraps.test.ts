import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { findProgram } from "../programs.ts";
import { ACCEPTED_BALANCING, REFUSED_BALANCING } from "./balance-bootstraps.ts";
import { ACCEPTED_CLUSTERS, REFUSED_CLUSTERS } from "./cluster-bootstraps.ts";
import { ACCEPTED_CONNECTIONS, REFUSED_CONNECTIONS } from "./connection-bootstraps.ts";
import { ACCEPTED_MESH, UNBUILT_MESH } from "./mesh-bootstraps.ts";
import { REFUSED_BOOTSTRAPS } from "./refused-bootstraps.ts";
import { REFUSED_FILTERS, UNBUILT_FILTERS } from "./refused-filters.ts";
import { REFUSED_HEALTH, UNBUILT_HEALTH } from "./refused-health.ts";
import { REFUSED_OVERLOAD } from "./refused-overload.ts";
import { REFUSED_RATE_LIMITS } from "./refused-rate-limits.ts";

const REFUSED = [
  ...REFUSED_BOOTSTRAPS,
  ...REFUSED_CLUSTERS,
  ...REFUSED_BALANCING,
  ...REFUSED_CONNECTIONS,
  ...REFUSED_FILTERS,
  ...REFUSED_HEALTH,
  ...REFUSED_RATE_LIMITS,
  ...REFUSED_OVERLOAD,
];

/** What Envoy may do and weft not yet. */
const UNBUILT = [...UNBUILT_HEALTH, ...UNBUILT_MESH, ...UNBUILT_FILTERS];

const ACCEPTED = [
  ...ACCEPTED_CLUSTERS,
  ...ACCEPTED_BALANCING,
  ...ACCEPTED_CONNECTIONS,
  ...ACCEPTED_MESH,
];

const envoyProgram = findProgram("envoy");

describe("parseBootstrap()", () => {
  test.each([...REFUSED, ...UNBUILT])("refuses $name", ({ bootstrap, message }) => {
    const parsed = parseBootstrap(JSON.stringify(bootstrap));
    expect(parsed.ok ? "accepted" : parsed.issues.map(formatIssue).join("\n")).toContain(message);
  });

  test.each(ACCEPTED)("takes %s", (_name, bootstrap) => {
    const parsed = parseBootstrap(JSON.stringify(bootstrap));
    expect(parsed.ok ? [] : parsed.issues.map(formatIssue)).toEqual([]);
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
  test.concurrent.each(REFUSED)("refuses $name too", async ({ bootstrap }) => {
    expect(await exitCode(bootstrap)).toBe(1);
  });

  test.concurrent.each(ACCEPTED)("takes %s too", async (_name, bootstrap) => {
    expect(await exitCode(bootstrap)).toBe(0);
  });

  test.concurrent.each(UNBUILT_MESH)("takes $name", async ({ bootstrap }) => {
    expect(await exitCode(bootstrap)).toBe(0);
  });
});

/** What Envoy ends with when it only looks at a bootstrap. */
async function exitCode(bootstrap: object): Promise<unknown> {
  const flags = ["--mode", "validate", "--use-dynamic-base-id", "-l", "off"];
  const args = ["--config-yaml", JSON.stringify(bootstrap), ...flags];
  const child = spawn(envoyProgram ?? "", args, { stdio: "ignore" });
  const [code] = await once(child, "exit");
  return code;
}
