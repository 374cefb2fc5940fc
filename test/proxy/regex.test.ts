import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, get, type RequestOptions } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileRegex } from "../../src/match/regex.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { BYTES, PATTERNS, REFUSED_PATTERNS, VALUES } from "./regex-table.ts";

const envoyProgram = findProgram("envoy");

/** Envoy bears only the smallest expressions unless told otherwise. */
const RUNTIME = {
  layers: [{ name: "test", static_layer: { "re2.max_program_size.error_level": 350_000 } }],
};

function route(pattern: string, at: number): object {
  const matcher = { name: "x", string_match: { safe_regex: { regex: pattern } } };
  return {
    match: { path: `/${at}`, headers: [matcher] },
    direct_response: { status: 200 },
  };
}

function bootstrap(patterns: readonly string[], [port = 0, adminPort = 0]: readonly number[]) {
  const others = { match: { prefix: "/" }, direct_response: { status: 404 } };
  const routes = [...patterns.map(route), others];
  return {
    layered_runtime: RUNTIME,
    admin: { address: socketAddress(adminPort) },
    static_resources: {
      listeners: [httpListener("in", port, { route_config: routeTable(routes) })],
    },
  };
}

/** The values that each expression takes. Envoy answers one request after the other at best. */
async function ask(port: number): Promise<Record<string, string[]>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const taken: Record<string, string[]> = {};
  for (const [at, pattern] of PATTERNS.entries()) {
    const matches: string[] = [];
    for (const value of [...VALUES, ...BYTES]) {
      const options = { host: "127.0.0.1", port, path: `/${at}`, headers: { x: value }, agent };
      if ((await statusOf(options)) === 200) matches.push(value);
    }
    taken[pattern] = matches;
  }
  agent.destroy();
  return taken;
}

function statusOf(options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(options, (response) => {
      response.resume().once("end", () => resolve(response.statusCode));
    }).once("error", reject);
  });
}

describe.skipIf(envoyProgram === undefined)("regular expressions", () => {
  const planes: DataPlane[] = [];
  let weftPort: number;
  let envoyPort: number;

  beforeAll(async () => {
    const ports = await freePorts(4);
    [weftPort = 0, , envoyPort = 0] = ports;
    planes.push(await startWeft(bootstrap(PATTERNS, ports.slice(0, 2))));
    const [, , , adminPort = 0] = ports;
    const theirs = bootstrap(PATTERNS, ports.slice(2));
    planes.push(await startEnvoy(envoyProgram ?? "", theirs, adminPort));
  });

  afterAll(async () => {
    for (const plane of planes) await plane.stop();
  });

  test("take the same values as in Envoy", async () => {
    const theirs = await ask(envoyPort);
    expect(await ask(weftPort)).toEqual(theirs);
    expect(Object.values(theirs).flat().length).toBeGreaterThan(500);
  });

  test.concurrent.each(REFUSED_PATTERNS)("%j is refused by both", async (pattern) => {
    expect(compileRegex(pattern).ok).toBe(false);
    const args = ["--config-yaml", JSON.stringify(bootstrap([pattern], []))];
    const flags = ["--mode", "validate", "--use-dynamic-base-id", "-l", "off"];
    const child = spawn(envoyProgram ?? "", [...args, ...flags], { stdio: "ignore" });
    expect(await once(child, "exit")).toEqual([1, null]);
  });
});
