import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { converse } from "./both-planes.ts";
import {
  type ConnectCase,
  type ConnectOutcome,
  ConnectPlanes,
  type Name,
} from "./connect-planes.ts";

const BEHIND = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";

function connectTo(host: string, headers = "", version = "1.1"): string {
  return `CONNECT ${host} HTTP/${version}\r\nHost: a.test\r\n${headers}\r\n`;
}

function one(listener: Name, send: ConnectCase["send"], rest: object = {}): ConnectCase {
  const what = JSON.stringify(send).replace(/\\r\\n/g, "|");
  return { name: `${listener}: ${what}`, listener, send, ...rest };
}

const A = connectTo("a.test:443");
const early = `${A}EARLY`;

/** The proxy is the other end. */
const TERMINATED: readonly ConnectCase[] = [
  one("echo", [early, "LATER"], { enough: "LATER" }),
  one("echo", A + BEHIND, { enough: "smuggled" }),
  one("ofRoute", early, { enough: "EARLY" }),
  one("says", early),
  one("resets", early),
  one("refused", early),
  one("none", early),
  one("nowhere", early),
  one("full", early),
  one("idle", early),
  one("age", early),
  one("proxyV1", early, { enough: "EARLY" }),
  one("proxyV2", early, { enough: "EARLY" }),
  one("both", early, { enough: "EARLY" }),
  one("hosts", early, { enough: "EARLY" }),
  one("hosts", connectTo("A.TEST:443"), { enough: "\r\n\r\n" }),
  one("hosts", connectTo("a.test:80")),
  one("hosts", connectTo("b.test:443")),
  one("http10", connectTo("a.test:443", "", "1.0"), { enough: "\r\n\r\n" }),
  one("http10", connectTo("a.test:443", "Connection: keep-alive\r\n", "1.0"), {
    enough: "\r\n\r\n",
  }),
];

const chunked = "POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
const sized = "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";

/** A POST stands for a CONNECT: its body is what the tunnel carries. */
const POSTED: readonly ConnectCase[] = [
  one("post", [`${chunked}5\r\nEARLY\r\n`, "5\r\nLATER\r\n"], { enough: "LATER" }),
  one("post", `${chunked}5\r\nhello\r\n0\r\n\r\n`, { enough: "0\r\n\r\n" }),
  one("post", sized, { enough: "0\r\n\r\n" }),
  one("post", "POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", {
    enough: "0\r\n\r\n",
  }),
  one("post", early, { enough: "EARLY" }),
  one("postSays", `${chunked}5\r\nEARLY\r\n`),
  one("postResets", `${chunked}5\r\nEARLY\r\n`),
  one("postRefused", sized, { enough: "refused" }),
  one("postProxy", sized, { enough: "0\r\n\r\n" }),
];

/** It is for the upstream to answer. */
const FORWARDED: readonly ConnectCase[] = [
  ...["granted", "length", "nothing", "chunked", "created", "noContent", "interim"].map((host) =>
    one("forward", `${connectTo(`${host}.test:443`)}EARLY`, { enough: "EARLY" }),
  ),
  ...["refuses", "fails", "redirects", "ends", "garbage"].map((host) =>
    one("forward", connectTo(`${host}.test:443`) + BEHIND),
  ),
  one(
    "forward",
    connectTo(
      "granted.test:443",
      "Content-Length: 0\r\nConnection: close\r\nProxy-Authorization: x\r\n",
    ),
    { enough: "tunnel" },
  ),
  one("forwardIdle", connectTo("granted.test:443")),
  one("forwardRefused", early),
  one("headers", early, { enough: "EARLY" }),
];

/** Nobody opens a tunnel. */
const REFUSED: readonly ConnectCase[] = [
  one("notAllowed", early),
  one("disabled", early),
  one("prefix", early),
  one("empty", early),
  one("direct", early),
  one("redirect", early),
  one("echo", connectTo("a.test:443", "Connection: upgrade\r\nUpgrade: websocket\r\n")),
  one("echo", connectTo("a.test:443", "Content-Length: 5\r\n") + "hello"),
  one("echo", connectTo("a.test:443", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
  one("echo", connectTo("a.test:443", "", "1.0")),
  ...["a.test", "/x", "*", "http://a.test:80", "u@a.test:443", ":443", "a.test:99999"].map((host) =>
    one("echo", connectTo(host) + BEHIND),
  ),
  one("echo", connectTo("a.test:443?q")),
  one("echo", "GET a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"),
];

/** What no host is named in the Host header for, and others that are fine. */
const ACCEPTED: readonly ConnectCase[] = [
  one("echo", "CONNECT a.test:443 HTTP/1.1\r\n\r\nx", { enough: "\r\n\r\nx" }),
  one("echo", "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\nx", { enough: "\r\n\r\nx" }),
  one("echo", `${connectTo("[::1]:443")}x`, { enough: "\r\n\r\nx" }),
  one("echo", `${connectTo("a.test:0")}x`, { enough: "\r\n\r\nx" }),
  one("echo", connectTo("a.test:443", "Content-Length: 0\r\n") + BEHIND, { enough: "smuggled" }),
  one("echo", connectTo("a.test:443", "Connection: upgrade\r\nUpgrade: h2c\r\n"), {
    enough: "\r\n\r\n",
  }),
  one("echo", `${connectTo("a.test:443", "Expect: 100-continue\r\n")}x`, { enough: "\r\n\r\nx" }),
];

const CASES = [...TERMINATED, ...POSTED, ...FORWARDED, ...REFUSED, ...ACCEPTED];
const hasEnvoy = findProgram("envoy") !== undefined;

const planes = new ConnectPlanes();
let weft: readonly ConnectOutcome[] = [];
let envoy: readonly ConnectOutcome[] = [];

beforeAll(async () => {
  await planes.start();
  ({ weft, envoy } = await planes.both.each((plane) => planes.run(plane, CASES)));
}, 60_000);

afterAll(() => planes.stop());

describe.skipIf(!hasEnvoy)("a CONNECT is taken as Envoy takes it", () => {
  test.each(CASES.map(({ name }, at) => ({ name, at })))("$name", ({ at }) => {
    expect(weft[at]).toEqual(envoy[at]);
  });
});

describe("a CONNECT", () => {
  const outcomeOf = (cases: readonly ConnectCase[], at: number): ConnectOutcome | undefined =>
    weft[CASES.indexOf(cases[at] as ConnectCase)];

  test("that this proxy ends carries bytes both ways", () => {
    const outcome = outcomeOf(TERMINATED, 0);
    expect(outcome?.got).toMatch(/^HTTP\/1.1 200 OK\n(?:.*\n)*.*\r\n\r\nEARLYLATER$/);
    expect(outcome?.upstream).toBe("EARLYLATER");
  });

  test("that is not granted takes nothing behind it along", () => {
    for (const [at, { name }] of FORWARDED.entries()) {
      if (!name.includes("smuggled") || name.includes("ends.")) continue;
      expect(outcomeOf(FORWARDED, at)?.upstream).not.toContain("smuggled");
    }
    for (const at of REFUSED.keys()) expect(outcomeOf(REFUSED, at)?.upstream).toBe("");
  });

  // Envoy passes it on as the end of the response. To us it is no answer to what was asked.
  test("that the upstream answers with 101 has failed", async () => {
    const plane = planes.both.planes.find(({ name }) => name === "weft");
    const send = connectTo("switches.test:443");
    const got = plane && (await converse({ to: { port: plane.ports.forward }, send })).got;
    expect(got).toContain("HTTP/1.1 502");
  });

  test("leaves nothing in use", async () => {
    for (const plane of planes.both.planes) {
      const stats = await plane.stats("cluster.*_active$");
      expect(Object.entries(stats).filter(([, value]) => value !== 0)).toEqual([]);
    }
  });
});
