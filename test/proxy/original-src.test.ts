import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { whyNotTransparent } from "../../src/proxy/net/transparent-socket.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { filter, httpListener, listenerOf, routeTable, socketAddress } from "./bootstrap-json.ts";

const envoyProgram = findProgram("envoy");
const ip = findProgram("ip");
const nft = findProgram("nft");
const canRun =
  ip !== undefined &&
  nft !== undefined &&
  process.getuid?.() === 0 &&
  whyNotTransparent() === undefined;
if (!canRun) {
  process.stderr.write("skipped: tests of the original source need ip, nft, root and koffi\n");
}

const NAMESPACE = `weft-src-${process.pid}`;
const MARK = 123;
const HTTP_PORT = 15_001;
const TCP_PORT = 15_002;
const PLAIN_PORT = 15_003;
const UP_PORT = 9000;
const folder = mkdtempSync(join(tmpdir(), "weft-original-src-"));
const bootstrap = join(folder, "bootstrap.json");

/** Answers whoever speaks with where he comes from, and with how many have come. */
const UPSTREAM = `
  let count = 0;
  const server = require("net").createServer((socket) => {
    const body = socket.remoteAddress + " " + ++count;
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(
      "HTTP/1.1 200 OK\\r\\nContent-Length: " + body.length + "\\r\\n\\r\\n" + body));
  });
  server.listen(${UP_PORT}, "::");
`;

/** Says what it was given and prints what comes, up to the end of one answer. */
const CLIENT = `
  const [, port, text] = process.argv;
  const socket = require("net").connect(Number(port), "127.0.0.1");
  let got = "";
  socket.on("error", () => undefined);
  socket.on("close", () => process.stdout.write(got));
  socket.on("data", (bytes) => {
    got += bytes;
    const [head, body = ""] = got.split("\\r\\n\\r\\n");
    const length = /content-length: (\\d+)/i.exec(head);
    if (length !== null && body.length >= Number(length[1])) socket.destroy();
  });
  socket.write(text);
`;

function inside(...command: readonly string[]): string {
  return execFileSync(ip ?? "", ["netns", "exec", NAMESPACE, ...command], { encoding: "utf8" });
}

const SOURCE = filter("listener.original_src.v3.OriginalSrc", { mark: MARK });
const PROXY = filter("listener.proxy_protocol.v3.ProxyProtocol", {});

function tcpProxy(cluster: string): object {
  return filter("network.tcp_proxy.v3.TcpProxy", { stat_prefix: cluster, cluster });
}

describe.skipIf(!canRun)("a host sees its clients' own addresses", () => {
  beforeAll(() => {
    execFileSync(ip ?? "", ["netns", "add", NAMESPACE]);
    inside(ip ?? "", "link", "set", "lo", "up");
    inside(ip ?? "", "address", "add", "10.0.0.1/32", "dev", "lo");
    inside(ip ?? "", "address", "add", "fd00::1/128", "dev", "lo");
    // What hosts send to clients comes back to the proxy: by the mark of its connection.
    for (const [family, flag, all] of [
      ["ip", "-4", "0.0.0.0/0"],
      ["ip6", "-6", "::/0"],
    ] as const) {
      const keep = `meta mark ${MARK} ct mark set meta mark`;
      const back = `ct mark ${MARK} meta mark set ct mark`;
      inside(
        nft ?? "",
        `table ${family} mangle {
          chain in { type filter hook prerouting priority -150; ${keep}; };
          chain out { type route hook output priority -150; ${back}; };
        }`,
      );
      // The way out, which the mark then turns back; there is no other in this namespace.
      inside(ip ?? "", flag, "route", "add", "default", "dev", "lo");
      inside(ip ?? "", flag, "rule", "add", "fwmark", String(MARK), "lookup", "100");
      inside(ip ?? "", flag, "route", "add", "local", all, "dev", "lo", "table", "100");
    }
    const routes = ["v4", "v6"].map((name) => ({
      match: { prefix: `/${name}` },
      route: { cluster: name },
    }));
    const http = httpListener("http", HTTP_PORT, { route_config: routeTable(routes) });
    const listeners = [
      { ...http, listener_filters: [PROXY, SOURCE] },
      listenerOf("tcp", TCP_PORT, [tcpProxy("v4")], { listener_filters: [PROXY, SOURCE] }),
      listenerOf("plain", PLAIN_PORT, [tcpProxy("v4")], { listener_filters: [SOURCE] }),
    ];
    const clusters = [
      ["v4", "10.0.0.1"],
      ["v6", "fd00::1"],
    ].map(([name, address]) => {
      const endpoint = { address: socketAddress(UP_PORT, address) };
      const endpoints = [{ lb_endpoints: [{ endpoint }] }];
      return { name, type: "STATIC", load_assignment: { cluster_name: name, endpoints } };
    });
    writeFileSync(bootstrap, JSON.stringify({ static_resources: { listeners, clusters } }));
  });

  afterAll(() => {
    execFileSync(ip ?? "", ["netns", "del", NAMESPACE]);
    rmSync(folder, { recursive: true, force: true });
  });

  function ask(port: number, header: string, path = "/v4"): string {
    const text = `${header}GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const got = inside(process.execPath, "-e", CLIENT, String(port), text);
    return got.replace(/^.*\r\n\r\n/s, "").replace("::ffff:", "");
  }

  async function answers(command: readonly string[]): Promise<readonly string[]> {
    const run = (program: readonly string[]) =>
      spawn(ip ?? "", ["netns", "exec", NAMESPACE, ...program], { stdio: "ignore" });
    const children = [run([process.execPath, "-e", UPSTREAM]), run(command)];
    try {
      await until(() => ask(PLAIN_PORT, "").startsWith("127.0.0.1 "), "the listeners", 30_000);
      return [
        ask(HTTP_PORT, "PROXY TCP4 10.1.2.3 10.0.0.1 40000 80\r\n"),
        ask(HTTP_PORT, "PROXY TCP4 10.1.2.3 10.0.0.1 40001 80\r\n"),
        ask(HTTP_PORT, "PROXY TCP4 10.1.2.4 10.0.0.1 40000 80\r\n"),
        ask(TCP_PORT, "PROXY TCP4 10.1.2.3 10.0.0.1 40002 80\r\n"),
        ask(HTTP_PORT, "PROXY TCP6 fd00:1::2 fd00::1 40000 80\r\n", "/v6"),
        ask(HTTP_PORT, "PROXY TCP6 fd00:1::2 fd00::1 40000 80\r\n"),
      ].map((answer, _at, all) => {
        const [address, count] = answer.split(" ");
        const first = Number(all[0]?.split(" ")[1]);
        return /^\S+ \d+$/.test(answer) ? `${address} ${Number(count) - first}` : answer;
      });
    } finally {
      for (const child of children) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
    }
  }

  const expected = [
    "10.1.2.3 0",
    // A client's connections are for the same address, from whichever port.
    "10.1.2.3 0",
    "10.1.2.4 1",
    "10.1.2.3 2",
    "fd00:1::2 3",
    expect.stringContaining("upstream connect error"),
  ];

  test("through weft", { timeout: 60_000 }, async () => {
    const weft = [process.execPath, "--import", "tsx", "src/cmd/weft.ts"];
    expect(await answers([...weft, "proxy", "-c", bootstrap])).toEqual(expected);
  });

  test.skipIf(envoyProgram === undefined)("through Envoy", { timeout: 60_000 }, async () => {
    const flags = ["--concurrency", "1", "--use-dynamic-base-id", "-l", "off"];
    expect(await answers([envoyProgram ?? "", "-c", bootstrap, ...flags])).toEqual(expected);
  });
});

test.skipIf(whyNotTransparent() === undefined)("is refused where it cannot be", () => {
  const listeners = [listenerOf("in", 1, [], { listener_filters: [SOURCE] })];
  const parsed = parseBootstrap(JSON.stringify({ static_resources: { listeners } }));
  expect(parsed.ok ? "" : parsed.issues.map(formatIssue).join()).toContain(
    "listener_filters[0]: to connect from the clients' addresses takes",
  );
});
