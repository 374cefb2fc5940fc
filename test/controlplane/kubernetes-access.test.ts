import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SimClock } from "../../src/base/sim-clock.ts";
import { isInCluster, loadKubeconfig } from "../../src/source/kubernetes-access.ts";

/** Says who it is, and counts how often it was asked. */
const PLUGIN = `
const { appendFileSync, readFileSync } = require("node:fs");
appendFileSync(process.argv[1], "x");
const token = "token-" + readFileSync(process.argv[1], "utf8").length;
console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } }));
`;

let folder: string;
let file: string;
let clock: SimClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-access-"));
  file = join(folder, "kubeconfig");
  clock = new SimClock();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(user: object, cluster: object = {}, current = "here"): void {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "c",
        cluster: {
          server: "https://[::1]:6443/base",
          "certificate-authority-data": btoa("CA"),
          ...cluster,
        },
      },
    ],
    users: [{ name: "u", user }],
    contexts: [
      { name: "here", context: { cluster: "c", user: "u" } },
      { name: "nobody", context: { cluster: "c", user: "missing" } },
    ],
    "current-context": current,
  };
  writeFileSync(file, JSON.stringify(config));
}

describe("loadKubeconfig", () => {
  test("gives tokens and authorities", async () => {
    write({ token: "secret" });
    const access = loadKubeconfig({ file }, clock);
    expect(access.server.href).toBe("https://[::1]:6443/base");
    expect(access.name).toBe(`https://[::1]:6443 (context "here" of kubeconfig "${file}")`);
    const { ca, headers, rejectUnauthorized } = await access.authorize();
    expect(String(ca)).toBe("CA");
    expect(headers).toEqual({ Authorization: "Bearer secret" });
    expect(rejectUnauthorized).toBeUndefined();
  });

  test("gives client certificates, and trusts everybody only where it says so", async () => {
    writeFileSync(join(folder, "key.pem"), "KEY");
    write(
      { "client-certificate-data": btoa("CERT"), "client-key": join(folder, "key.pem") },
      { "insecure-skip-tls-verify": true, "tls-server-name": "kubernetes" },
    );
    const credentials = await loadKubeconfig({ file, context: "here" }, clock).authorize();
    expect(credentials.cert).toEqual(Buffer.from("CERT"));
    expect(credentials.key).toEqual(Buffer.from("KEY"));
    expect(credentials).toMatchObject({ rejectUnauthorized: false, servername: "kubernetes" });
    expect(credentials).not.toHaveProperty("agent");
  });

  test("asks a program once for all who wait, again after a while, and when refused", async () => {
    const count = join(folder, "count");
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: process.execPath,
      args: ["-e", PLUGIN, count],
      interactiveMode: "Never",
    };
    write({ exec });
    const access = loadKubeconfig({ file }, clock);
    const all = await Promise.all(Array.from({ length: 8 }, () => access.authorize()));
    expect(new Set(all.map(({ headers }) => headers["Authorization"]))).toEqual(
      new Set(["Bearer token-1"]),
    );
    await clock.advance(29_000);
    await access.authorize();
    expect(readFileSync(count, "utf8")).toBe("x");
    await clock.advance(2000);
    expect((await access.authorize()).headers["Authorization"]).toBe("Bearer token-2");
    access.forget();
    expect((await access.authorize()).headers["Authorization"]).toBe("Bearer token-3");
    expect(clock.timersPending).toBe(0);
  });

  test("a program that fails is an error of the request, not of the start", async () => {
    const args = ["-e", "console.error('no such tenant'); process.exit(1)"];
    write({
      exec: { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args },
    });
    await expect(loadKubeconfig({ file }, clock).authorize()).rejects.toThrow("no such tenant");
  });

  test.each([
    ["a file that is not there", () => rmSync(file), {}, /kubeconfig ".*" cannot be used: ENOENT/],
    ["an empty file", () => writeFileSync(file, "\n"), {}, /cannot be used: the file is empty/],
    ["a broken file", () => writeFileSync(file, "clusters: ["), {}, /cannot be used: /],
    [
      "an unknown context",
      () => undefined,
      { context: "there" },
      /has no context "there": choose one with --context \(here, nobody\)/,
    ],
    ["no current context", () => write({}, {}, ""), {}, /has no current context: choose one/],
    ["a user that is not there", () => undefined, { context: "nobody" }, /names no user that is/],
    ["a server that is no URL", () => write({}, { server: "x" }), {}, /server "x" is no URL/],
  ])("refuses %s", (_name, spoil, more, message) => {
    write({ token: "t" });
    spoil();
    expect(() => loadKubeconfig({ file, ...more }, clock)).toThrow(message);
  });
});

test("`isInCluster()` wants both the address and the token", () => {
  expect(isInCluster({})).toBe(false);
  // No Pod: the token is not where Kubernetes puts it.
  expect(isInCluster({ KUBERNETES_SERVICE_HOST: "10.96.0.1" })).toBe(false);
});
