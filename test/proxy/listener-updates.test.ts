import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { filter, listenerOf, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { converse } from "./both-planes.ts";
import { freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const envoyProgram = findProgram("envoy");

/** How long connections of what was replaced get here. */
const DRAIN_MS = 100;

const ADS = { ads: {}, resource_api_version: "V3" };

function bootstrap(adsPort: number, adminPort: number): object {
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(adminPort) },
    dynamic_resources: {
      lds_config: ADS,
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      clusters: [
        staticCluster("xds", [adsPort], {
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        }),
      ],
    },
  };
}

const ECHO = filter("network.echo.v3.Echo", {});

function says(text: string): object {
  return filter("network.direct_response.v3.Config", { response: { inline_string: text } });
}

let controlPlane: TestControlPlane;
let stop: () => Promise<void>;
let ports: readonly number[];
const at = (index: number): number => ports[index] ?? 0;

beforeEach(async () => {
  controlPlane = new TestControlPlane();
  await controlPlane.start();
  ports = await freePorts(4);
  const weft = await startWeft(bootstrap(controlPlane.port, at(3)), { drainMs: DRAIN_MS });
  stop = () => weft.stop();
});

afterEach(async () => {
  await stop();
  controlPlane.stop();
});

async function ask(port: number): Promise<string> {
  return (await converse({ to: { port } })).got;
}

function whenSaid(port: number, text: string): Promise<unknown> {
  return until(async () => (await ask(port)) === text, `the answer ${text} on ${port}`);
}

/** A client of an echo that it has heard. */
async function talk(port: number): Promise<Socket> {
  const socket = connect({ port });
  socket.on("error", () => undefined);
  await hears(socket, "hello");
  return socket;
}

async function hears(socket: Socket, text: string): Promise<void> {
  socket.write(text);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  expect(bytes.toString()).toBe(text);
}

/** One port for each chain; every chain has its own. */
function twoChains(
  first: readonly object[],
  second: readonly object[],
  options: object = {},
): object {
  return {
    name: "two",
    address: socketAddress(at(0)),
    additional_addresses: [{ address: socketAddress(at(1)) }],
    filter_chains: [
      { name: "first", filter_chain_match: { destination_port: at(0) }, filters: first },
      { name: "second", filter_chain_match: { destination_port: at(1) }, filters: second },
    ],
    ...options,
  };
}

describe("a listener that changes", () => {
  test("keeps connections of the chains that stay, and ends those of the others", async () => {
    controlPlane.set("listener", { two: twoChains([ECHO], [ECHO]) });
    await until(
      async () => (await converse({ to: { port: at(1) }, send: "x", enough: "x" })).got === "x",
      "both chains",
    );
    const stays = await talk(at(0));
    const goes = await talk(at(1));
    controlPlane.set("listener", { two: twoChains([ECHO], [says("new")]) });
    await whenSaid(at(1), "new");
    await until(() => goes.closed, "the old chain's connection to end");
    await hears(stays, "still here");
    // Once more: the chain has changed hands twice now.
    controlPlane.set("listener", { two: twoChains([ECHO], [says("newer")]) });
    await whenSaid(at(1), "newer");
    await hears(stays, "still here");
    // What is not about chains changes all of them.
    controlPlane.set("listener", {
      two: twoChains([ECHO], [says("newer")], { tcp_backlog_size: 100 }),
    });
    await until(() => stays.closed, "all connections to end");
    expect(await ask(at(1))).toBe("newer");
  });

  test("loses no connection while it changes again and again", async () => {
    controlPlane.set("listener", { in: listenerOf("in", at(0), [says("0")]) });
    await whenSaid(at(0), "0");
    let isDone = false;
    const answers: string[] = [];
    const clients = Array.from({ length: 4 }, async () => {
      while (!isDone) answers.push(await ask(at(0)));
    });
    for (let version = 1; version <= 30; version++) {
      // Some change a chain, some all of it.
      const options = version % 3 === 0 ? { tcp_backlog_size: 100 + version } : {};
      controlPlane.set("listener", {
        in: listenerOf("in", at(0), [says(String(version))], options),
      });
      const before = answers.length;
      await until(() => answers.slice(before).includes(String(version)), `version ${version}`);
    }
    isDone = true;
    await Promise.all(clients);
    expect(answers.filter((answer) => !/^\d+$/.test(answer))).toEqual([]);
    expect(answers.length).toBeGreaterThan(30);
  });

  test("moves to another address, and to a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-listener-"));
    try {
      controlPlane.set("listener", { in: listenerOf("in", at(0), [says("a")]) });
      await whenSaid(at(0), "a");
      controlPlane.set("listener", { in: listenerOf("in", at(1), [says("b")]) });
      await whenSaid(at(1), "b");
      expect(await ask(at(0))).toBe("");
      const path = join(folder, "socket");
      const pipe = { address: { pipe: { path, mode: 0o600 } } };
      controlPlane.set("listener", { in: { ...listenerOf("in", 0, [says("c")]), ...pipe } });
      await until(async () => (await converse({ to: { path } })).got === "c", "the Unix socket");
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(await ask(at(1))).toBe("");
      const listed = await fetch(`http://127.0.0.1:${at(3)}/listeners`);
      expect(await listed.text()).toBe(`in::${path}\n`);
      controlPlane.set("listener", {});
      await until(async () => (await converse({ to: { path } })).end === "reset", "its removal");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("is refused where it cannot be bound, and the older one goes on", async () => {
    const taken = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => taken.listen(at(2), "127.0.0.1", resolve));
    const good = listenerOf("in", at(0), [says("good")]);
    try {
      controlPlane.set("listener", { in: good });
      await whenSaid(at(0), "good");
      controlPlane.set("listener", {
        in: listenerOf("in", at(2), [says("bad")]),
        other: listenerOf("other", at(1), [says("other")]),
      });
      expect(await controlPlane.refusal("listener", "cannot bind")).toContain(
        `in: cannot bind '127.0.0.1:${at(2)}': Address already in use`,
      );
      expect(await ask(at(0))).toBe("good");
      // What else came goes its way.
      await whenSaid(at(1), "other");
      controlPlane.set("listener", { in: good, other: listenerOf("other", at(0), [says("dup")]) });
      expect(await controlPlane.refusal("listener", "duplicate")).toContain(
        `other: error adding listener: 'other' has duplicate address '127.0.0.1:${at(0)}' as existing listener 'in'`,
      );
      expect(await ask(at(1))).toBe("other");
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
    controlPlane.set("listener", { in: listenerOf("in", at(2), [says("moved")]) });
    await whenSaid(at(2), "moved");
  });

  test("takes the address of one that goes in the same response", async () => {
    controlPlane.set("listener", { a: listenerOf("a", at(0), [says("a")]) });
    await whenSaid(at(0), "a");
    controlPlane.set("listener", { b: listenerOf("b", at(0), [says("b")]) });
    await whenSaid(at(0), "b");
    expect(controlPlane.requests.every(({ errorDetail }) => errorDetail === undefined)).toBe(true);
  });
});

describe.skipIf(envoyProgram === undefined)("Envoy", () => {
  test("refuses what cannot be bound with the same words", async () => {
    const envoy = new TestControlPlane();
    await envoy.start();
    const [adminPort = 0] = await freePorts(1);
    const taken = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => taken.listen(at(2), "127.0.0.1", resolve));
    envoy.set("listener", { in: listenerOf("in", at(0), [says("good")]) });
    const plane = await startEnvoy(envoyProgram ?? "", bootstrap(envoy.port, adminPort), adminPort);
    try {
      envoy.set("listener", { in: listenerOf("in", at(2), [says("bad")]) });
      expect(await envoy.refusal("listener", "cannot bind")).toContain(
        `in: cannot bind '127.0.0.1:${at(2)}': Address already in use`,
      );
      const dup = listenerOf("other", at(0), [says("dup")]);
      envoy.set("listener", { in: listenerOf("in", at(0), [says("good")]), other: dup });
      expect(await envoy.refusal("listener", "duplicate")).toContain(
        `error adding listener: 'other' has duplicate address '127.0.0.1:${at(0)}' as existing listener`,
      );
    } finally {
      await plane.stop();
      envoy.stop();
      await new Promise((resolve) => taken.close(resolve));
    }
  });
});
