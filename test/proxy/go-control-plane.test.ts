import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startWeft } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const program = findProgram("go-control-plane");

/** A request of a client, as the control plane tells it. */
interface Heard {
  readonly type: string;
  readonly version: string;
  readonly refusal: string;
}

const VARIANTS = ["GRPC", "DELTA_GRPC"] as const;

describe.skipIf(program === undefined).each(VARIANTS)(
  "weft's proxy under go-control-plane, by %s",
  (variant) => {
    let child: ChildProcessWithoutNullStreams;
    let adsPort: number;
    let port: number;
    let weft: DataPlane;
    let one: ScriptedUpstream;
    let two: ScriptedUpstream;
    const heard: Heard[] = [];

    beforeEach(async () => {
      const says = (text: string): string =>
        `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
      one = await ScriptedUpstream.start({ "/": { send: says("one") } });
      two = await ScriptedUpstream.start({ "/": { send: says("two") } });
      child = spawn(program ?? "", [], { stdio: "pipe" });
      const lines = createInterface(child.stdout);
      [adsPort] = (await once(lines, "line")).map(Number) as [number];
      lines.on("line", (line) => heard.push(JSON.parse(line) as Heard));
      heard.length = 0;
      [port = 0] = await freePorts(1);
      weft = await startWeft(dynamicBootstrap(adsPort, 0, variant));
    });

    afterEach(async () => {
      await weft.stop();
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
      await one.stop();
      await two.stop();
    });

    function give(version: string, upstream: ScriptedUpstream, listenerOptions: object = {}): void {
      const snapshot = {
        Node: "n",
        Version: version,
        Clusters: [edsCluster(version)],
        Endpoints: [assignment(version, [upstream.port])],
        Listeners: [httpListener("in", port, { ...rds("r"), ...listenerOptions })],
        Routes: [{ ...routeTable([toCluster(version)]), name: "r" }],
      };
      child.stdin.write(`${JSON.stringify(snapshot)}\n`);
    }

    async function body(): Promise<string> {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      return answer.text();
    }

    function whenAnswered(text: string): Promise<true | undefined> {
      return until(
        async () => ((await body().catch(() => "")) === text ? true : undefined),
        `the answer "${text}"`,
      );
    }

    test("serves one snapshot after the other, and refuses with a reason", async () => {
      give("v1", one);
      await whenAnswered("one");
      give("v2", two);
      await whenAnswered("two");
      const kinds = ["cluster", "endpoint", "listener", "route"] as const;
      for (const kind of kinds) {
        const type = RESOURCE_TYPE_URL[kind];
        // In delta a version is each resource's own.
        const isTaken = ({ version }: Heard): boolean =>
          variant === "GRPC" ? version === "v2" : version !== "";
        await until(() => heard.some((it) => it.type === type && isTaken(it)), kind);
      }
      expect(heard.filter(({ refusal }) => refusal !== "")).toEqual([]);
      give("v3", one, { add_user_agent: true });
      const refusal = await until(() => heard.find((it) => it.refusal !== ""), "a refusal");
      expect(refusal.type).toBe(RESOURCE_TYPE_URL.listener);
      expect(refusal.version).toMatch(variant === "GRPC" ? /^v2$/ : /./);
      expect(refusal.refusal).toMatch(/^in: .*add_user_agent/);
      // The rest of that snapshot holds.
      await whenAnswered("one");
    });
  },
);
