import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { findFreePort } from "../../src/local/free-port.ts";
import { ContainerProcess } from "../../src/runtime/container-process.ts";
import { isAlive, readProcess } from "../../src/runtime/proc.ts";
import { ProcessRegistry, START_MARK } from "../../src/runtime/process-registry.ts";
import { endLeftovers } from "../../src/runtime/runtime.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import { appState, RuntimeFixture, SERVER } from "./runtime-fixture.ts";

let fixture: RuntimeFixture;

beforeEach(async () => {
  fixture = await RuntimeFixture.start();
});
afterEach(() => fixture.close());

const order = (): readonly string[] => readFileSync(fixture.orderFile, "utf8").trim().split("\n");

function pidOf(containerId: string | undefined): number {
  return Number(/^weft:\/\/(\d+)-/.exec(containerId ?? "")?.[1]);
}

describe("a pod", () => {
  it("runs its command, is reached at its address, and leaves nothing", async () => {
    await fixture.createPod("web");
    const pod = await fixture.untilReady("web");
    expect(pod.status).toMatchObject({ phase: "Running", hostIP: "127.0.0.1" });
    const answer = await fetch(`http://${pod.status?.podIP}:9080/`);
    expect(await answer.json()).toMatchObject({ HOSTNAME: "web", PORT: "9080" });
    await fixture.deletePod("web");
    await until(() => fixture.pod("web") === undefined, "its end");
    expect(isAlive(readProcess(pidOf(appState(pod)?.containerID)))).toBe(false);
    expect(order()).toEqual(["app up", "app down"]);
    expect(fixture.events()).toEqual(
      expect.arrayContaining(["Started Started container app", "Killing Stopped container app"]),
    );
  });

  it("starts its sidecar first and stops it last", async () => {
    await fixture.createPod(
      "web",
      {},
      {
        containers: [
          {
            name: "app",
            command: ["node", "-e", SERVER],
            ports: [{ containerPort: 9080 }],
            env: [{ name: "ORDER", value: fixture.orderFile }],
          },
          { name: "istio-proxy", image: "auto" },
        ],
      },
    );
    await fixture.untilPod(
      "web",
      "waiting for its sidecar",
      (pod) => appState(pod)?.state?.waiting?.reason === "PodInitializing",
    );
    await fixture.untilReady("web");
    await fixture.deletePod("web");
    await until(() => fixture.pod("web") === undefined, "its end");
    expect(order()).toEqual(["sidecar up", "app up", "app down", "sidecar down"]);
  });

  it("is restarted when it crashes, at once and then with back-off, and counted", async () => {
    await fixture.createPod("web");
    const { status } = await fixture.untilReady("web");
    await fetch(`http://${status?.podIP}:9080/die`).catch(() => undefined);
    const again = await fixture.untilPod("web", "restarted", (pod) => {
      const state = appState(pod);
      return state?.restartCount === 1 && state.ready;
    });
    expect(appState(again)?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
    expect(await fixture.readLogs("web", { previous: true })).toBe("listening\n");
    await fetch(`http://${status?.podIP}:9080/die`).catch(() => undefined);
    await fixture.untilPod(
      "web",
      "backing off",
      (pod) => appState(pod)?.state?.waiting?.reason === "CrashLoopBackOff",
    );
    expect(fixture.events()).toContain("BackOff Back-off restarting failed container app");
  });

  it("keeps its app when its sidecar crashes, and gets another sidecar", async () => {
    const app = { name: "app", command: ["node", "-e", SERVER], ports: [{ containerPort: 9080 }] };
    const containers = [app, { name: "istio-proxy" }];
    await fixture.createPod("web", {}, { containers });
    const pod = await fixture.untilReady("web");
    const sidecar = pod.status?.containerStatuses?.find(({ name }) => name === "istio-proxy");
    process.kill(pidOf(sidecar?.containerID), "SIGKILL");
    await fixture.untilPod("web", "not ready", (now) =>
      (now.status?.conditions ?? []).some((one) => one.type === "Ready" && one.status === "False"),
    );
    const after = await fixture.untilReady("web");
    expect(appState(after)?.containerID).toBe(appState(pod)?.containerID);
    expect(
      after.status?.containerStatuses?.find(({ name }) => name === "istio-proxy"),
    ).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 137, signal: 9 } } });
  });

  it("is killed with all it started when it does not stop in time", async () => {
    const script = `
      require("node:child_process").spawn("sleep", ["600"]);
      process.on("SIGTERM", () => {});
      require("node:http").createServer().listen(process.env.PORT, process.env.WEFT_BIND);`;
    const containers = [
      { name: "app", command: ["node", "-e", script], ports: [{ containerPort: 9080 }] },
    ];
    await fixture.createPod("stubborn", {}, { containers, terminationGracePeriodSeconds: 1 });
    const pod = await fixture.untilReady("stubborn");
    const pid = pidOf(appState(pod)?.containerID);
    await fixture.deletePod("stubborn");
    await until(() => fixture.pod("stubborn") === undefined, "its end");
    expect(isAlive(readProcess(pid))).toBe(false);
    expect(() => process.kill(-pid, 0)).toThrow("ESRCH");
  });

  it("names an image that nobody knows, and runs it once somebody does", async () => {
    await fixture.createPod("web", { command: [], image: "example.org/shop/web:1.2" });
    const pod = await fixture.untilPod(
      "web",
      "waiting for its image",
      (now) => appState(now)?.state?.waiting?.reason === "ErrImagePull",
    );
    const message = appState(pod)?.state?.waiting?.message ?? "";
    expect(message).toContain('"example.org/shop/web:1.2"');
    expect(message).toContain(fixture.catalogueFile);
    writeFileSync(fixture.catalogueFile, "images: {}\n");
    await fixture.untilPod("web", "told of its catalogue", (now) => {
      const broken = `which is broken: ${fixture.catalogueFile}: images: must be a list`;
      return appState(now)?.state?.waiting?.message?.includes(broken) === true;
    });
    fixture.addImage("shop/web", SERVER, ["$(WEFT_BIND)"]);
    const running = await fixture.untilReady("web");
    const pid = pidOf(appState(running)?.containerID);
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").at(-2)).toMatch(/^127\./);
  });

  it.each([
    ["a program below a file", ["/etc/passwd/x"], "ENOTDIR"],
    ["a NUL in an argument", ["node", "a\0b"], "null bytes"],
    ["an argument longer than the system takes", ["node", "x".repeat(300_000)], "E2BIG"],
    ["a folder as a program", ["/tmp"], "not allowed"],
  ])("says why %s cannot be started, and harms nobody else", async (_, command, why) => {
    await fixture.createPod("odd", { command });
    const pod = await fixture.untilPod(
      "odd",
      "the refusal",
      ({ status }) => status?.containerStatuses?.[0]?.lastState?.terminated !== undefined,
    );
    const { terminated } = pod.status?.containerStatuses?.[0]?.lastState ?? {};
    expect(terminated).toMatchObject({ exitCode: 127, reason: "StartError" });
    expect(terminated?.message).toContain(why);
    await fixture.createPod("even");
    await fixture.untilReady("even");
  });

  it("is refused when it listens on all addresses of a port that pods use", async () => {
    // One that no other mesh on this machine listens on, or the app cannot even begin.
    const containerPort = await findFreePort("0.0.0.0", nodePrng);
    const script = `require("node:http").createServer().listen(${containerPort}, "0.0.0.0")`;
    const ports = [{ containerPort }];
    await fixture.createPod("greedy", { command: ["node", "-e", script], ports });
    const pod = await fixture.untilPod(
      "greedy",
      "refused",
      (now) => appState(now)?.lastState?.terminated?.reason === "BindsAllAddresses",
    );
    expect(appState(pod)?.lastState?.terminated?.message).toContain("WEFT_BIND (127.");
  });

  it("stays pending while another has its host port", async () => {
    const ports = [{ containerPort: 8080, hostPort: 28080 }];
    await fixture.createPod("first", {}, { containers: [{ name: "istio-proxy", ports }] });
    await fixture.untilReady("first");
    await fixture.createPod("second", {}, { containers: [{ name: "istio-proxy", ports }] });
    const pod = await fixture.untilPod("second", "pending", (now) => now.status !== undefined);
    expect(pod.status).toMatchObject({
      phase: "Pending",
      conditions: [
        {
          type: "PodScheduled",
          status: "False",
          message:
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports",
        },
      ],
    });
    await fixture.deletePod("first");
    await fixture.untilReady("second");
  });

  it("names the program that has its host port", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = server.address();
    const hostPort = typeof address === "object" && address !== null ? address.port : 0;
    const ports = [{ containerPort: 8080, hostPort }];
    await fixture.createPod("gateway", {}, { containers: [{ name: "istio-proxy", ports }] });
    const pod = await fixture.untilPod(
      "gateway",
      "waiting for its port",
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "HostPortTaken",
    );
    server.close();
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain(
      `host port ${hostPort} is taken by process ${process.pid}`,
    );
  });

  it("ends when its work is done, and takes its sidecar along", async () => {
    const containers = [
      { name: "app", command: ["node", "-e", "console.log('done')"] },
      { name: "istio-proxy" },
    ];
    await fixture.createPod("job", {}, { containers, restartPolicy: "Never" });
    const pod = await fixture.untilPod(
      "job",
      "succeeded",
      ({ status }) =>
        status?.phase === "Succeeded" &&
        status.containerStatuses?.every(({ state }) => state?.terminated !== undefined) === true,
    );
    expect(appState(pod)?.state?.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    expect(await fixture.readLogs("job")).toBe("done\n");
    expect(order()).toEqual(["sidecar up", "sidecar down"]);
  });

  it("runs init containers one after the other before its app", async () => {
    const script = (text: string): string =>
      `require("node:fs").appendFileSync(${JSON.stringify(fixture.orderFile)}, ${JSON.stringify(`${text}\n`)})`;
    await fixture.createPod(
      "web",
      {},
      {
        initContainers: [
          { name: "one", command: ["node", "-e", script("one")] },
          { name: "two", command: ["node", "-e", script("two")] },
        ],
        containers: [
          {
            name: "app",
            command: ["node", "-e", SERVER],
            ports: [{ containerPort: 9080 }],
            env: [{ name: "ORDER", value: fixture.orderFile }],
          },
        ],
      },
    );
    await fixture.untilReady("web");
    expect(order()).toEqual(["one", "two", "app up"]);
  });

  it("sees an emptyDir at /tmp as TMPDIR, and is told of one that it cannot see", async () => {
    const app = {
      name: "app",
      command: ["node", "-e", SERVER],
      ports: [{ containerPort: 9080 }],
      volumeMounts: [
        { name: "scratch", mountPath: "/tmp" },
        { name: "data", mountPath: "/data" },
      ],
    };
    const volumes = [
      { name: "scratch", emptyDir: {} },
      { name: "data", emptyDir: {} },
    ];
    await fixture.createPod("web", {}, { containers: [app], volumes });
    const { status } = await fixture.untilReady("web");
    const env = await (await fetch(`http://${status?.podIP}:9080/`)).json();
    expect(env).toMatchObject({
      TMPDIR: expect.stringContaining(join(fixture.home, "pods")) as string,
    });
    expect(fixture.events().join("\n")).toContain('volume "data" is not visible at /data');
  });
});

describe("readLogs()", () => {
  it("gives the last lines, and follows until the end", async () => {
    const script = `
      for (let line = 1; line <= 5; line++) console.log("line " + line);
      setTimeout(() => { console.log("last"); process.exit(0); }, 1500);`;
    await fixture.createPod("talker", { command: ["node", "-e", script], ports: [] }, {});
    await until(async () => (await fixture.readLogs("talker")).includes("line 5"), "its output");
    expect(await fixture.readLogs("talker", { tailLines: 2 })).toBe("line 4\nline 5\n");
    const pod = fixture.pod("talker");
    expect(pod).toBeDefined();
    if (pod === undefined) return;
    const log = fixture.runtime.readLogs(pod, { follow: true, tailLines: 1 });
    let text = "";
    if (Symbol.asyncIterator in log) {
      for await (const chunk of log) text += Buffer.from(chunk).toString("utf8");
    }
    expect(text).toBe("line 5\nlast\n");
  });
});

describe("endLeftovers()", () => {
  it("ends what it noted down, and nothing that has the same number by chance", async () => {
    const folder = join(fixture.home, "other");
    const registry = new ProcessRegistry(join(folder, "processes"));
    const left = await ContainerProcess.start({
      spec: {
        command: ["sleep", "600"],
        env: { PATH: process.env["PATH"] ?? "" },
        workingDir: "/",
      },
      logFile: join(folder, "log"),
      registry,
      what: "default/web/app",
      clock: nodeClock,
    });
    expect(left).toBeInstanceOf(ContainerProcess);
    if (!(left instanceof ContainerProcess)) return;
    const bystander = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
    const { pid = 0 } = bystander;
    registry.add(registry.announce("a process of the same number, long ago"), pid, "1");
    expect(await endLeftovers(folder, nodeClock, silentLogger)).toEqual(["default/web/app"]);
    expect(isAlive(readProcess(left.pid))).toBe(false);
    expect(isAlive(readProcess(pid))).toBe(true);
    bystander.kill("SIGKILL");
  });

  it("ends what was started just before the server died, too early to be noted down", async () => {
    const folder = join(fixture.home, "other");
    const registry = new ProcessRegistry(join(folder, "processes"));
    registry.announce("default/web/never-started");
    const env = { ...process.env, [START_MARK]: registry.announce("default/web/app") };
    const left = spawn("sleep", ["600"], { detached: true, stdio: "ignore", env });
    const other = { ...process.env, [START_MARK]: "of-another-home" };
    const bystander = spawn("sleep", ["600"], { detached: true, stdio: "ignore", env: other });
    expect(await endLeftovers(folder, nodeClock, silentLogger)).toEqual(["default/web/app"]);
    expect(isAlive(readProcess(left.pid ?? 0))).toBe(false);
    expect(isAlive(readProcess(bystander.pid ?? 0))).toBe(true);
    expect(readdirSync(join(folder, "processes"))).toEqual([]);
    bystander.kill("SIGKILL");
  });
});
