import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { HashCell } from "../../src/proxy/balance/hash64.ts";
import { xxHash64 } from "../../src/proxy/balance/xx-hash.ts";
import { until } from "../controlplane/until.ts";
import { destroy, type Plane } from "./both-planes.ts";
import { closeAll, startUpstream } from "./cluster-planes.ts";
import { freePorts } from "./data-plane.ts";
import {
  endpointOf,
  hashCluster,
  requestOf,
  startHashing,
  startNumbered,
} from "./hashing-planes.ts";
import { MessageReader, type WireMessage } from "./wire-message.ts";

afterEach(closeAll);

/** An answer; `raw` are its headers as they came. */
type Answer = WireMessage & { readonly raw: readonly string[] };

/** Sends requests on one connection; the answers, with the cookies that only it gets named so. */
async function ask(plane: Plane<"in">, requests: readonly string[]): Promise<readonly Answer[]> {
  const socket = connect(plane.ports.in, "127.0.0.1");
  const reader = new MessageReader("response", []);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => reader.push(chunk.toString("latin1")));
  socket.write(requests.join(""));
  const { messages } = reader;
  await until(() => messages.length >= requests.length, "all answers");
  const ends = `127.0.0.1:${socket.localPort}127.0.0.1:${plane.ports.in}`;
  await destroy(socket);
  const cell = new HashCell();
  xxHash64(ends, cell);
  const own = [cell.high, cell.low].map((half) => half.toString(16).padStart(8, "0")).join("");
  return messages.map((message) => ({
    ...message,
    raw: message.headers,
    headers: message.headers.map((line) => line.replace(own, "OWN")),
  }));
}

/** What is the same whenever it is sent. */
function stable({ line, headers, body }: WireMessage): object {
  const changing = /^(date|x-envoy-upstream-service-time): .*/i;
  return { line, body, headers: headers.map((header) => header.replace(changing, "$1")) };
}

const COOKIE = { cookie: { name: "c", ttl: "3600s" } };
const ATTRIBUTES = [
  { name: "SameSite", value: "Strict" },
  { name: "Secure", value: "" },
];

describe("cookies that are made", () => {
  const CASES: Readonly<Record<string, object>> = {
    age: { hash_policy: [COOKIE] },
    session: { hash_policy: [{ cookie: { name: "c", ttl: "0s" } }] },
    fraction: { hash_policy: [{ cookie: { name: "c", ttl: "0.9s" } }] },
    path: { hash_policy: [{ cookie: { name: "c", ttl: "1.9s", path: "/a b" } }] },
    more: { hash_policy: [{ cookie: { ...COOKIE.cookie, path: "/", attributes: ATTRIBUTES } }] },
    two: { hash_policy: [COOKIE, { cookie: { name: "d", ttl: "1s" } }] },
    same: { hash_policy: [COOKIE, COOKIE] },
    passive: { hash_policy: [{ cookie: { name: "c", path: "/", attributes: ATTRIBUTES } }] },
    terminal: {
      hash_policy: [{ header: { header_name: "x-key" }, terminal: true }, COOKIE],
    },
  };

  test("are what Envoy makes, and bring the client back", async () => {
    const ports = await startNumbered(5);
    const cluster = hashCluster("up", [{ lb_endpoints: ports.map((port) => endpointOf(port)) }]);
    const routes = Object.entries(CASES).map(([name, action]) => ({
      match: { prefix: `/${name}/` },
      route: { cluster: "up", ...action },
      response_headers_to_add: [{ header: { key: "set-cookie", value: "route=1" } }],
      response_headers_to_remove: ["x-up"],
    }));
    const both = await startHashing([cluster], {}, { routes });
    for (const name of Object.keys(CASES)) {
      const path = `/${name}/`;
      const seen = await both.each(async (plane) => {
        const requests = [requestOf(path), requestOf(path, ["x-key: 1"])];
        const [without, other] = await ask(plane, requests);
        const again = await ask(plane, [requestOf(path, [cookiesOf(without)])]);
        // Each connection has a cookie of its own, and so perhaps another host.
        const isBack = again[0]?.body === without?.body;
        const answers = [without, other, ...again].map(
          (one) => one && stable({ ...one, body: "" }),
        );
        return { name, isBack: name === "passive" || isBack, answers };
      });
      expect.soft(seen.weft).toEqual(seen.envoy);
      expect.soft(seen.weft.isBack).toBe(true);
    }
  }, 60_000);

  test("are not made for a cluster that does not hash", async () => {
    const [port = 0] = await startNumbered(1);
    const cluster = hashCluster("up", [{ lb_endpoints: [endpointOf(port)] }], {
      lb_policy: "ROUND_ROBIN",
    });
    const both = await startHashing([cluster], CASES["two"] ?? {});
    const seen = await both.each((plane) => ask(plane, [requestOf("/up")]));
    expect(seen.weft.map(stable)).toEqual(seen.envoy.map(stable));
    expect(seen.weft[0]?.headers.join()).not.toContain("set-cookie");
  });

  test("come once for each try, and not with answers of the proxy's own", async () => {
    const [dead = 0] = await freePorts(1);
    const failing = await startUpstream({
      "/": { send: "HTTP/1.1 503 No\r\nContent-Length: 0\r\nX-Up: 1\r\n\r\n" },
    });
    const clusters = [
      hashCluster("failing", [{ lb_endpoints: [endpointOf(failing.port)] }]),
      hashCluster("dead", [{ lb_endpoints: [endpointOf(dead)] }]),
      hashCluster("empty", []),
      hashCluster("table", [{ lb_endpoints: [] }], { lb_policy: "MAGLEV" }),
    ];
    const retry = {
      retry_on: "5xx",
      num_retries: 2,
      retry_back_off: { base_interval: "0.001s" },
    };
    const both = await startHashing(clusters, { hash_policy: [COOKIE], retry_policy: retry });
    for (const { name } of clusters) {
      const seen = await both.each(async (plane) => {
        const answers = await ask(plane, [requestOf(`/${name}`)]);
        return { name, answers: answers.map(stable) };
      });
      expect.soft(seen.weft).toEqual(seen.envoy);
    }
  }, 60_000);

  test("are written before the route changes the headers", async () => {
    const [port = 0] = await startNumbered(1);
    const cluster = hashCluster("up", [{ lb_endpoints: [endpointOf(port)] }]);
    const routes = [
      {
        match: { prefix: "/" },
        route: { cluster: "up", hash_policy: [COOKIE] },
        response_headers_to_remove: ["set-cookie"],
      },
    ];
    const both = await startHashing([cluster], {}, { routes });
    const seen = await both.each((plane) => ask(plane, [requestOf("/")]));
    expect(seen.weft.map(stable)).toEqual(seen.envoy.map(stable));
  });
});

/** A `cookie` header with all that an answer gave. */
function cookiesOf(message: Answer | undefined): string {
  const given = (message?.raw ?? []).flatMap((line) => {
    const [, pair] = /^set-cookie: ([^;]*)/i.exec(line) ?? [];
    return pair === undefined ? [] : [pair];
  });
  return `cookie: ${given.join("; ")}`;
}
