import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, destroy, type Plane } from "./both-planes.ts";
import { TestAuthority } from "./test-pki.ts";

const run = promisify(execFile);
const curl = findProgram("curl");
const CONNECT = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
const BYTES = 64 * 1024 * 1024;
/** What may be on the way: nearly all of it in the kernel's buffers, some 10 MiB for each hop. */
const BYTES_HELD_MAX = 40 * 1024 * 1024;
const ALLOWED = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
const ENDED = { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };

type Name = "plain" | "tls" | "forward" | "peer" | "pending" | "tight";

const both = new BothPlanes<Name>();
const servers: Server[] = [];
const folder = mkdtempSync(join(tmpdir(), "weft-tunnel-"));
/** The other ends of tunnels, in the order in which they came. */
const peers: Socket[] = [];
const clients: Socket[] = [];

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function listener(name: Name, port: number, cluster: string, action: object = ENDED): object {
  const route = { match: { connect_matcher: {} }, route: { cluster, ...action } };
  return httpListener(name, port, { ...ALLOWED, route_config: routeTable([route]) });
}

beforeAll(async () => {
  const authority = await TestAuthority.create();
  const { cert, key } = await authority.issue({ sans: [{ type: "dns", value: "a.test" }] });
  writeFileSync(join(folder, "ca.pem"), authority.cert);
  const plain = await listen(createHttpServer((_, response) => response.end("over http")));
  const tls = await listen(
    createTlsServer({ cert, key }, (_, response) => response.end("over tls")),
  );
  const peer = await listen(
    createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      socket.on("error", () => undefined);
      peers.push(socket);
    }),
  );
  await both.start(["plain", "tls", "forward", "peer", "pending", "tight"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        listener("plain", ports.plain, "plain"),
        listener("tls", ports.tls, "tls"),
        // Through a second proxy: this one.
        listener("forward", ports.forward, "next", {}),
        listener("peer", ports.peer, "peer"),
        listener("pending", ports.pending, "peer", {}),
        listener("tight", ports.tight, "tight"),
      ],
      clusters: [
        staticCluster("plain", [plain]),
        staticCluster("tls", [tls]),
        staticCluster("next", [ports.tls]),
        staticCluster("peer", [peer]),
        staticCluster("tight", [peer], {
          circuit_breakers: { thresholds: [{ max_connections: 1 }] },
        }),
      ],
    },
  }));
}, 60_000);

// One that failed leaves nothing for those behind it to trip over.
afterEach(async () => {
  for (const socket of [...clients.splice(0), ...peers]) await destroy(socket);
});

afterAll(async () => {
  await both.stop();
  for (const peer of peers) peer.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true, force: true });
});

/** A client in an open tunnel, with the socket at the other end. */
async function openTunnel(port: number): Promise<{ client: Socket; peer: Socket }> {
  const before = peers.length;
  const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  clients.push(client);
  client.on("error", () => undefined);
  client.write(CONNECT);
  const [head] = (await once(client, "data")) as [Buffer];
  expect(head.toString("latin1")).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\n$/);
  client.pause();
  const peer = await until(() => peers[before], "the other end of a tunnel");
  return { client, peer };
}

/** What still counts something; waits a while for it to be nothing. */
async function inUse(plane: Plane<Name>): Promise<readonly string[]> {
  let names: readonly string[] = [];
  await until(async () => {
    names = Object.entries(await plane.stats("_active$"))
      .filter(([name]) => /upstream_|downstream_rq_active/.test(name) && !name.includes("admin"))
      .filter(([, value]) => value !== 0)
      .map(([name]) => name);
    return names.length === 0;
  }, "nothing to be in use").catch(() => undefined);
  return names;
}

/** Sends a lot to a reader that does not read at first; tells how much was on the way then. */
async function pour(
  from: Socket,
  to: Socket,
  onHeldBack = (): void => undefined,
): Promise<{ held: number; got: number }> {
  const piece = Buffer.alloc(65_536, 7);
  let sent = 0;
  let got = 0;
  const isBlocked = (): boolean => from.writableLength > 1_048_576;
  const push = (): void => {
    while (sent < BYTES && !isBlocked()) {
      sent += piece.length;
      from.write(piece);
    }
  };
  from.on("drain", push);
  push();
  let last = -1;
  let stillCount = 0;
  // Nothing moves any more. What waits then may be less than the mark: pieces leave by the batch.
  await until(() => {
    const now = sent - from.writableLength;
    stillCount = now === last ? stillCount + 1 : 0;
    last = now;
    return stillCount >= 3 && from.writableLength > 0;
  }, "the sender to be held back");
  const held = sent - from.writableLength;
  to.on("data", (bytes: Buffer) => {
    got += bytes.length;
  });
  to.resume();
  onHeldBack();
  await until(() => got === BYTES, "all bytes to come");
  return { held, got };
}

describe.skipIf(curl === undefined)("curl through the proxy", () => {
  const cases: readonly (readonly [Name, string, string])[] = [
    ["plain", "http://a.test/", "over http"],
    ["tls", "https://a.test/", "over tls"],
    ["forward", "https://a.test/", "over tls"],
  ];
  test.each(cases)("%s: %s", async (name, url, expected) => {
    for (const { ports } of both.planes) {
      const proxy = `http://127.0.0.1:${ports[name]}`;
      const args = ["-sS", "--max-time", "10", "--noproxy", "", "--cacert", join(folder, "ca.pem")];
      const { stdout } = await run(curl ?? "", [...args, "--proxy", proxy, "--proxytunnel", url]);
      expect(stdout).toBe(expected);
    }
  });
});

describe("a tunnel", () => {
  test("keeps little of what comes before it is granted, and loses nothing", async () => {
    for (const { ports } of both.planes) {
      const before = peers.length;
      const client = connect(ports.pending, "127.0.0.1");
      clients.push(client);
      client.on("error", () => undefined);
      client.write(CONNECT);
      const peer = await until(() => peers[before], "the CONNECT");
      const [head] = (await once(peer.resume(), "data")) as [Buffer];
      expect(head.toString("latin1")).toMatch(/^CONNECT a.test:443 HTTP\/1.1\r\n[^]*\r\n\r\n$/);
      const { held, got } = await pour(client, peer, () => {
        peer.write("HTTP/1.1 200 OK\r\n\r\n");
      });
      expect(got).toBe(BYTES);
      expect(held).toBeLessThan(BYTES_HELD_MAX);
      await destroy(client);
      await destroy(peer);
    }
  });

  test("holds a sender back while nobody reads, both ways, and loses nothing", async () => {
    for (const { ports } of both.planes) {
      const { client, peer } = await openTunnel(ports.peer);
      const up = await pour(client, peer);
      const down = await pour(peer, client);
      for (const { held, got } of [up, down]) {
        expect(got).toBe(BYTES);
        expect(held).toBeLessThan(BYTES_HELD_MAX);
      }
      await destroy(client);
      await destroy(peer);
    }
  });

  // Like Envoy, a client that closes its side is taken to be gone.
  test.each(["end", "destroy", "resetAndDestroy"] as const)(
    "leaves nothing when the client does %s",
    async (way) => {
      for (const plane of both.planes) {
        const { client, peer } = await openTunnel(plane.ports.peer);
        client[way]();
        client.resume();
        peer.resume();
        await once(peer, "end");
        peer.end();
        expect(await inUse(plane)).toEqual([]);
        await destroy(client);
      }
    },
  );

  test.each(["end", "destroy", "resetAndDestroy"] as const)(
    "leaves nothing when the upstream does %s",
    async (way) => {
      for (const plane of both.planes) {
        const { client, peer } = await openTunnel(plane.ports.peer);
        peer[way]();
        client.resume();
        await once(client, "end");
        expect(await inUse(plane)).toEqual([]);
        await destroy(client);
        await destroy(peer);
      }
    },
  );

  test("sends what came last before the upstream ended", async () => {
    for (const { ports } of both.planes) {
      const { client, peer } = await openTunnel(ports.peer);
      let got = 0;
      client.on("data", (bytes: Buffer) => {
        got += bytes.length;
      });
      peer.end(Buffer.alloc(1_000_000));
      client.resume();
      await once(client, "end");
      expect(got).toBe(1_000_000);
      await destroy(client);
      await destroy(peer);
    }
  });

  test("waits for the end of another where the cluster may have no more connections", async () => {
    for (const { ports } of both.planes) {
      const { client, peer } = await openTunnel(ports.tight);
      const second = connect(ports.tight, "127.0.0.1");
      second.write(CONNECT);
      const isOpen = once(second, "data");
      await destroy(client);
      const [answer] = (await isOpen) as [Buffer];
      expect(answer.toString("latin1")).toMatch(/^HTTP\/1.1 200 /);
      await destroy(second);
      await destroy(peer);
    }
  });
});
