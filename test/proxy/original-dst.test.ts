import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { createOriginalDst } from "../../src/proxy/listener-filter/original-dst.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { filter, listenerOf, socketAddress } from "./bootstrap-json.ts";

const envoyProgram = findProgram("envoy");
const ip = findProgram("ip");
const nft = findProgram("nft");
const canRun =
  ip !== undefined &&
  nft !== undefined &&
  process.getuid?.() === 0 &&
  createOriginalDst() !== undefined;
if (!canRun) {
  process.stderr.write("skipped: tests of the original destination need ip, nft, root and koffi\n");
}

const NAMESPACE = `weft-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), "weft-original-"));
const bootstrap = join(folder, "bootstrap.json");

function says(text: string): object {
  return filter("network.direct_response.v3.Config", { response: { inline_string: text } });
}

/** Connects from inside the namespace and prints what comes. */
const CLIENT = `
  const socket = require("net").connect(Number(process.argv[1]), process.argv[2]);
  socket.on("error", () => process.stdout.write("error"));
  socket.pipe(process.stdout);
`;

function inside(...command: readonly string[]): string {
  return execFileSync(ip ?? "", ["netns", "exec", NAMESPACE, ...command], { encoding: "utf8" });
}

describe.skipIf(!canRun)("a connection that was redirected", () => {
  beforeAll(() => {
    execFileSync(ip ?? "", ["netns", "add", NAMESPACE]);
    inside(ip ?? "", "link", "set", "lo", "up");
    const redirect = "type nat hook output priority -100;";
    const rule = "tcp dport { 8080, 8081, 8082 } redirect to :15001";
    for (const family of ["ip", "ip6"]) {
      inside(nft ?? "", `table ${family} nat { chain output { ${redirect} ${rule}; }; }`);
    }
    const unbound = { bind_to_port: false };
    const listeners = [
      {
        ...listenerOf("virtual", 15_001, [says("virtual")], { use_original_dst: true }),
        address: { socket_address: { address: "::", port_value: 15_001, ipv4_compat: true } },
      },
      listenerOf("target", 8080, [says("target")], unbound),
      {
        ...listenerOf("target6", 0, [says("target6")], unbound),
        address: socketAddress(8080, "::1"),
      },
      {
        ...listenerOf("any", 0, [says("any")], unbound),
        address: socketAddress(8081, "0.0.0.0"),
      },
    ];
    writeFileSync(bootstrap, JSON.stringify({ static_resources: { listeners } }));
  });

  afterAll(() => {
    execFileSync(ip ?? "", ["netns", "del", NAMESPACE]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function answers(command: readonly string[]): Promise<readonly string[]> {
    const child = spawn(ip ?? "", ["netns", "exec", NAMESPACE, ...command], { stdio: "ignore" });
    const ask = (port: number, host: string): string =>
      inside(process.execPath, "-e", CLIENT, String(port), host);
    try {
      await until(() => ask(15_001, "127.0.0.1") === "virtual", "the listener");
      return [
        ask(8080, "127.0.0.1"),
        ask(8081, "127.0.0.1"),
        ask(8082, "127.0.0.1"),
        ask(8080, "::1"),
      ];
    } finally {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  }

  const expected = ["target", "any", "virtual", "target6"];

  test("goes to the listener of the address that its client wanted", async () => {
    const weft = [process.execPath, "--import", "tsx", "src/cmd/weft.ts"];
    expect(await answers([...weft, "proxy", "-c", bootstrap])).toEqual(expected);
  });

  test.skipIf(envoyProgram === undefined)("does so in Envoy", async () => {
    const flags = ["--concurrency", "1", "--use-dynamic-base-id", "-l", "off"];
    expect(await answers([envoyProgram ?? "", "-c", bootstrap, ...flags])).toEqual(expected);
  });
});

test.skipIf(createOriginalDst() !== undefined)("is refused where nobody can ask for it", () => {
  const listeners = [listenerOf("in", 1, [says("hi")], { use_original_dst: true })];
  const parsed = parseBootstrap(JSON.stringify({ static_resources: { listeners } }));
  expect(parsed.ok ? "" : parsed.issues.map(formatIssue).join()).toContain(
    "listeners[0].use_original_dst: the original destination can be asked for on Linux only",
  );
});
