import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { proxyProfileCommand } from "../../src/cli/proxy-profile.ts";
import { until } from "../controlplane/until.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";

/** What V8 writes, as far as it is looked at. */
interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

describe("profiles", () => {
  let plane: DataPlane;
  let admin = 0;
  const folder = mkdtempSync(join(tmpdir(), "weft-profiles-"));
  const path = join(folder, "proxy.prof");

  beforeAll(async () => {
    [admin = 0] = await freePorts(1);
    plane = await startWeft({
      admin: {
        address: { socket_address: { address: "127.0.0.1", port_value: admin } },
        profile_path: path,
      },
    });
  });

  afterAll(async () => {
    await plane.stop();
    rmSync(folder, { recursive: true });
  });

  async function post(page: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${admin}${page}`, { method: "POST" });
    return { status: answer.status, text: await answer.text() };
  }

  async function run(...args: readonly string[]): Promise<string> {
    let out = "";
    await proxyProfileCommand.run([...args, "--admin-addr", `127.0.0.1:${admin}`], {
      stdout: (text) => {
        out += text;
      },
      stderr: () => undefined,
      stdin: () => Promise.resolve(""),
      env: {},
      isTerminal: false,
      signal: new AbortController().signal,
    });
    return out;
  }

  test("the CPU profiler is switched on and off, and writes a file", async () => {
    expect(await post("/cpuprofiler?enable=y")).toEqual({ status: 200, text: "OK\n" });
    const second = await post("/heapprofiler?enable=y");
    expect(second.status).toBe(500);
    expect(second.text).toContain("the cpu profiler runs already");
    expect(await post("/profile?kind=cpu&seconds=1")).toMatchObject({ status: 500 });
    expect(await post("/heapprofiler?enable=n")).toMatchObject({ status: 400 });
    expect(await post("/cpuprofiler?enable=n")).toEqual({ status: 200, text: "OK\n" });
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
    expect(nodes[0]?.callFrame.functionName).toBe("(root)");
    expect(samples.length).toBe(timeDeltas.length);
  });

  test.each(["/heapprofiler", "/allocprofiler"])("%s writes what was allocated", async (page) => {
    expect(await post(`${page}?enable=y`)).toEqual({ status: 200, text: "OK\n" });
    await post("/stats");
    const stopped = await post(`${page}?enable=n`);
    expect(stopped).toEqual({ status: 200, text: `stopped, data written to ${path}\n` });
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
      head: { callFrame: { functionName: "(root)" } },
    });
  });

  test("a client that goes away ends its recording", async () => {
    let asked: ClientRequest | undefined;
    const ask = (): void => {
      const path = "/profile?kind=cpu&seconds=600";
      asked = request({ port: admin, host: "127.0.0.1", method: "POST", path });
      asked.on("error", () => undefined);
      // Refused: whoever looks whether it goes on was first.
      asked.on("response", ask);
      asked.end();
    };
    const isTaken = async (): Promise<boolean> =>
      (await post("/profile?kind=heap&seconds=0.01")).status === 500;
    ask();
    await until(isTaken, "the recording to begin");
    asked?.destroy();
    await until(async () => !(await isTaken()), "the recording to end");
    expect(await post("/profile?kind=heap&seconds=0.01")).toMatchObject({ status: 200 });
  });

  test("the command writes a file of each kind", async () => {
    for (const [kind, ending, part] of [
      ["cpu", "cpuprofile", "timeDeltas"],
      ["heap", "heapprofile", "selfSize"],
      ["allocation", "heapprofile", "selfSize"],
    ] as const) {
      const file = join(folder, `${kind}.${ending}`);
      expect(await run(kind, "--seconds", "1", "-o", file)).toBe(`${file}\n`);
      expect(readFileSync(file, "utf8")).toContain(part);
    }
  });

  test("the command says what is wrong", async () => {
    await expect(run("gpu")).rejects.toThrow("one of cpu, heap, allocation, snapshot");
    await expect(run("cpu", "--seconds", "0")).rejects.toThrow("answered 400");
    await expect(run("cpu", "--seconds", "9999")).rejects.toThrow("answered 400");
    const nowhere = join(folder, "none", "x");
    await expect(run("cpu", "--seconds", "1", "-o", nowhere)).rejects.toThrow("cannot write");
    expect(existsSync(nowhere)).toBe(false);
    expect(await post("/profile?kind=gpu")).toMatchObject({ status: 400 });
  });

  test("a heap that is small enough is dumped whole", async () => {
    const answer = await fetch(`http://127.0.0.1:${admin}/heap_dump`);
    const text = await answer.text();
    // That of the test's own process may be too large.
    const start = answer.status === 507 ? "the heap has" : '{"snapshot":';
    expect(text.slice(0, 12)).toBe(start);
  });
});
