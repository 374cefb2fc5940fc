import { expect } from "vitest";
import type { HoldingUpstream } from "./holding-upstream.ts";

/** A request that was sent. */
export interface Asked {
  /** Its status, `!` behind it where the answer says that the proxy is overloaded; or "gone". */
  readonly answer: Promise<string>;
  leave(): void;
}

/** A TCP client that said hello, and waits to hear it. */
export interface Talk {
  /** `hello`, or `closed`. */
  answer(): Promise<string>;
  isWaiting(): boolean;
  leave(): Promise<void>;
}

/** What a case does at one of the two proxies. */
export interface LimitSide {
  readonly up: HoldingUpstream;
  get(path?: string): Asked;
  talk(): Talk;
  /** Waits until a statistic of the cluster has that value. */
  stat(name: string, value: number): Promise<void>;
  counted(names: readonly string[]): Promise<readonly number[]>;
}

/** A cluster with a limit that is reached, and what comes of it. */
export interface LimitCase {
  /** Of its cluster as well. */
  readonly name: string;
  /** `hangs` never takes a connection, `refuses` never has one. */
  readonly hosts: readonly ("up" | "echo" | "hangs" | "refuses")[];
  /** Merged into the cluster. */
  readonly cluster: object;
  readonly route?: object;
  /** Clients speak TCP; merged into the TCP proxy. */
  readonly isTcp?: true;
  readonly tcp?: object;
  readonly run: (side: LimitSide) => Promise<object>;
  readonly expected: object;
  /** Per request or connection, sorted: status, flags, details; flags alone for TCP. */
  readonly log: readonly string[];
}

function breakers(...thresholds: readonly object[]): object {
  return { circuit_breakers: { thresholds } };
}

function perHost(limits: object): object {
  return { circuit_breakers: { per_host_thresholds: [limits] } };
}

function common(options: object): object {
  const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const config = {
    "@type": `type.googleapis.com/${name}`,
    explicit_http_config: { http_protocol_options: {} },
    common_http_protocol_options: options,
  };
  return { typed_extension_protocol_options: { [name]: config } };
}

/** So many requests at once; their answers in order. */
async function ask(side: LimitSide, count: number, path = "/"): Promise<readonly string[]> {
  const asked = Array.from({ length: count }, () => side.get(path));
  return Promise.all(asked.map(({ answer }) => answer));
}

/** So many requests, one after the other. */
async function askInTurn(side: LimitSide, count: number): Promise<readonly string[]> {
  const answers: string[] = [];
  for (let times = 0; times < count; times++) answers.push(await side.get().answer);
  return answers;
}

const CX = ["upstream_cx_total", "upstream_cx_overflow", "upstream_cx_active"] as const;
const RQ = ["upstream_rq_total", "upstream_rq_pending_total", "upstream_rq_pending_overflow"];
const OK = "200 - via_upstream";
const OVERFLOW = "503 UO upstream_reset_before_response_started{overflow}";

const HTTP_CASES: readonly LimitCase[] = [
  {
    name: "one-connection-for-ten",
    hosts: ["up"],
    cluster: breakers({ max_connections: 1 }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_rq_active", 1);
      const others = ask(side, 9);
      await side.stat("upstream_rq_pending_active", 9);
      const during = await side.counted(["upstream_cx_total", "upstream_cx_active"]);
      side.up.release();
      const answers = [await first.answer, ...(await others)];
      return { answers, during, after: await side.counted([...CX, ...RQ]) };
    },
    expected: { answers: Array(10).fill("200"), during: [1, 1], after: [1, 17, 1, 10, 10, 0] },
    log: Array(10).fill(OK),
  },
  {
    name: "order-of-those-who-wait",
    hosts: ["up"],
    cluster: breakers({ max_connections: 1 }),
    run: async (side) => {
      const before = side.up.asked.length;
      const all = [side.get("/hold")];
      await side.stat("upstream_rq_active", 1);
      for (let at = 1; at <= 4; at++) {
        all.push(side.get(`/${at}`));
        await side.stat("upstream_rq_pending_active", at);
      }
      side.up.release();
      const answers = await Promise.all(all.map(({ answer }) => answer));
      return { answers, order: side.up.asked.slice(before) };
    },
    expected: { answers: Array(5).fill("200"), order: ["/hold", "/1", "/2", "/3", "/4"] },
    log: Array(5).fill(OK),
  },
  {
    name: "one-may-wait",
    hosts: ["up"],
    cluster: breakers({ max_connections: 1, max_pending_requests: 1 }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_rq_active", 1);
      const second = side.get();
      await side.stat("upstream_rq_pending_active", 1);
      const refused = await ask(side, 3);
      side.up.release();
      const answers = [await first.answer, await second.answer];
      return { answers, refused, after: await side.counted([...CX, ...RQ]) };
    },
    expected: {
      answers: ["200", "200"],
      refused: ["503!", "503!", "503!"],
      after: [1, 1, 1, 2, 2, 3],
    },
    log: [OK, OK, OVERFLOW, OVERFLOW, OVERFLOW],
  },
  {
    name: "none-may-wait-but-one-is-free",
    hosts: ["up"],
    cluster: breakers({ max_pending_requests: 0 }, { priority: "HIGH", max_pending_requests: 0 }),
    run: async (side) => ({
      refused: await ask(side, 2),
      after: await side.counted([...CX, ...RQ]),
    }),
    expected: { refused: ["503!", "503!"], after: [0, 0, 0, 0, 0, 2] },
    log: [OVERFLOW, OVERFLOW],
  },
  {
    name: "one-request-for-five",
    hosts: ["up"],
    cluster: breakers({ max_requests: 1 }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_rq_active", 1);
      const refused = await ask(side, 4);
      side.up.release();
      const answers = [await first.answer, await side.get().answer];
      const names = ["upstream_rq_total", "upstream_rq_active_overflow"];
      return { answers, refused, after: await side.counted(names) };
    },
    expected: { answers: ["200", "200"], refused: Array(4).fill("503!"), after: [2, 4] },
    log: [OK, OK, OVERFLOW, OVERFLOW, OVERFLOW, OVERFLOW],
  },
  {
    name: "one-connection-for-each-host",
    hosts: ["up", "up"],
    cluster: perHost({ max_connections: 1 }),
    run: async (side) => {
      const held = [side.get("/hold"), side.get("/hold")];
      await side.stat("upstream_rq_active", 2);
      const others = ask(side, 4);
      await side.stat("upstream_rq_pending_active", 4);
      const during = await side.counted(["upstream_cx_total", "upstream_cx_active"]);
      side.up.release();
      const answers = await Promise.all(held.map(({ answer }) => answer));
      return { answers, others: await others, during, after: await side.counted(RQ) };
    },
    expected: {
      answers: ["200", "200"],
      others: Array(4).fill("200"),
      during: [2, 2],
      after: [6, 6, 0],
    },
    log: Array(6).fill(OK),
  },
  {
    name: "high-priority-has-its-own",
    hosts: ["up"],
    cluster: breakers({ max_connections: 0 }, { priority: "HIGH", max_pending_requests: 0 }),
    route: { priority: "HIGH" },
    run: async (side) => ({
      refused: await ask(side, 2),
      after: await side.counted([...CX, ...RQ]),
    }),
    expected: { refused: ["503!", "503!"], after: [0, 0, 0, 0, 0, 2] },
    log: [OVERFLOW, OVERFLOW],
  },
  {
    name: "no-connection-at-all-is-one",
    hosts: ["up"],
    cluster: breakers({ max_connections: 0 }),
    run: async (side) => ({
      answers: await askInTurn(side, 2),
      after: await side.counted([...CX, ...RQ]),
    }),
    expected: { answers: ["200", "200"], after: [1, 1, 1, 2, 1, 0] },
    log: [OK, OK],
  },
  {
    name: "who-leaves-waits-no-more",
    hosts: ["up"],
    cluster: breakers({ max_connections: 1 }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_rq_active", 1);
      const second = side.get();
      await side.stat("upstream_rq_pending_active", 1);
      second.leave();
      await side.stat("upstream_rq_pending_active", 0);
      const cancelled = await side.counted(["upstream_rq_cancelled", "upstream_rq_total"]);
      side.up.release();
      return { answers: [await first.answer, await side.get().answer], cancelled };
    },
    expected: { answers: ["200", "200"], cancelled: [1, 1] },
    log: ["0 DC downstream_remote_disconnect", OK, OK],
  },
  {
    name: "a-connect-timeout-for-all-who-wait",
    hosts: ["hangs"],
    cluster: { connect_timeout: "0.3s", ...breakers({ max_connections: 1 }) },
    run: async (side) => ({
      answers: await ask(side, 3),
      after: await side.counted([
        "upstream_cx_connect_timeout",
        "upstream_cx_connect_fail",
        "upstream_rq_pending_failure_eject",
        "upstream_rq_pending_active",
        "upstream_cx_total",
      ]),
    }),
    expected: { answers: ["503", "503", "503"], after: [1, 1, 3, 0, 1] },
    log: Array(3).fill("503 UF upstream_reset_before_response_started{connection_timeout}"),
  },
  {
    name: "a-connect-timeout-and-another-host",
    hosts: ["hangs", "up"],
    cluster: { connect_timeout: "0.2s" },
    route: { retry_policy: { retry_on: "connect-failure", num_retries: 3 } },
    // Which host is first is chance.
    run: async (side) => ({ answers: await askInTurn(side, 2) }),
    expected: { answers: ["200", "200"] },
    log: [OK, OK],
  },
  {
    name: "no-retry-past-the-limit",
    hosts: ["refuses"],
    cluster: breakers({ max_retries: 0 }),
    route: { retry_policy: { retry_on: "connect-failure", num_retries: 3 } },
    run: async (side) => ({
      answers: await ask(side, 2),
      after: await side.counted(["upstream_rq_retry", "upstream_rq_retry_overflow"]),
    }),
    expected: { answers: ["503", "503"], after: [0, 2] },
    log: Array(2).fill(
      "503 UO,UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
    ),
  },
  {
    name: "an-old-connection-ends-behind-its-request",
    hosts: ["up"],
    cluster: common({ max_connection_duration: "0.2s" }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_cx_max_duration_reached", 1);
      const during = await side.counted(["upstream_cx_active", "upstream_rq_active"]);
      side.up.release();
      const answer = await first.answer;
      await side.stat("upstream_cx_active", 0);
      return { answer, during, next: await side.get().answer };
    },
    expected: { answer: "200", during: [1, 1], next: "200" },
    log: [OK, OK],
  },
  {
    name: "unused-connections-end",
    hosts: ["up"],
    cluster: common({ idle_timeout: "0.2s" }),
    run: async (side) => {
      const held = [side.get("/hold"), side.get("/hold"), side.get("/hold")];
      await side.stat("upstream_rq_active", 3);
      side.up.release();
      const answers = await Promise.all(held.map(({ answer }) => answer));
      await side.stat("upstream_cx_idle_timeout", 3);
      const names = ["upstream_cx_active", "upstream_cx_destroy_local", "upstream_cx_total"];
      return { answers, after: await side.counted(names) };
    },
    expected: { answers: ["200", "200", "200"], after: [0, 3, 3] },
    log: [OK, OK, OK],
  },
  {
    name: "a-request-is-no-idleness",
    hosts: ["up"],
    cluster: common({ idle_timeout: "0.1s" }),
    run: async (side) => {
      const first = side.get("/hold");
      await side.stat("upstream_rq_active", 1);
      await new Promise((resolve) => setTimeout(resolve, 300));
      side.up.release();
      return { answer: await first.answer };
    },
    expected: { answer: "200" },
    log: [OK],
  },
  {
    name: "three-requests-each",
    hosts: ["up"],
    cluster: common({ max_requests_per_connection: 3 }),
    run: async (side) => ({
      answers: await askInTurn(side, 10),
      after: await side.counted(["upstream_cx_total", "upstream_cx_max_requests"]),
    }),
    expected: { answers: Array(10).fill("200"), after: [4, 3] },
    log: Array(10).fill(OK),
  },
  {
    name: "one-request-each-two-at-a-time",
    hosts: ["up"],
    cluster: { ...common({ max_requests_per_connection: 1 }), ...breakers({ max_connections: 2 }) },
    run: async (side) => ({
      answers: await ask(side, 8),
      after: await side.counted(["upstream_cx_total", "upstream_cx_max_requests"]),
    }),
    expected: { answers: Array(8).fill("200"), after: [8, 8] },
    log: Array(8).fill(OK),
  },
];

const TCP_COUNTS = [
  "upstream_cx_total",
  "upstream_cx_overflow",
  "upstream_cx_connect_fail",
  "upstream_cx_connect_attempts_exceeded",
  "upstream_cx_destroy_local",
  "upstream_cx_destroy_remote",
  "upstream_rq_total",
  "upstream_rq_pending_total",
  "upstream_rq_pending_overflow",
  "upstream_rq_pending_failure_eject",
  "upstream_rq_cancelled",
] as const;

/** A talk that goes on until the client leaves. */
async function holdTalk(side: LimitSide): Promise<Talk> {
  const talk = side.talk();
  await talk.answer();
  return talk;
}

const TCP_CASES: readonly LimitCase[] = [
  {
    name: "tcp-counts",
    hosts: ["echo"],
    cluster: {},
    isTcp: true,
    run: async (side) => {
      const talk = await holdTalk(side);
      const during = await side.counted(["upstream_cx_active", "upstream_rq_active"]);
      await talk.leave();
      await side.stat("upstream_cx_active", 0);
      const bytes = ["upstream_cx_rx_bytes_total", "upstream_cx_tx_bytes_total"];
      return { during, after: await side.counted([...TCP_COUNTS, ...bytes]) };
    },
    expected: { during: [1, 1], after: [1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 5, 5] },
    log: ["-"],
  },
  {
    name: "tcp-one-connection",
    hosts: ["echo"],
    cluster: breakers({ max_connections: 1 }),
    isTcp: true,
    run: async (side) => {
      const talk = await holdTalk(side);
      const refused = [await side.talk().answer(), await side.talk().answer()];
      await talk.leave();
      await side.stat("upstream_cx_active", 0);
      const next = await side.talk().answer();
      return { refused, next, after: await side.counted(["upstream_cx_overflow"]) };
    },
    expected: { refused: ["closed", "closed"], next: "hello", after: [2] },
    log: ["-", "-", "UO", "UO"],
  },
  {
    name: "tcp-requests-are-not-bound",
    hosts: ["echo"],
    cluster: breakers({ max_requests: 1 }),
    isTcp: true,
    run: async (side) => {
      const talk = await holdTalk(side);
      const second = await holdTalk(side);
      const names = ["upstream_rq_total", "upstream_rq_active_overflow", "upstream_rq_active"];
      const after = await side.counted(names);
      await talk.leave();
      await second.leave();
      return { after };
    },
    expected: { after: [2, 0, 2] },
    log: ["-", "-"],
  },
  {
    name: "tcp-none-may-wait",
    hosts: ["echo"],
    cluster: breakers({ max_pending_requests: 0 }),
    isTcp: true,
    tcp: { max_connect_attempts: 2 },
    run: async (side) => ({
      refused: await side.talk().answer(),
      after: await side.counted(TCP_COUNTS),
    }),
    expected: { refused: "closed", after: [0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0] },
    log: ["URX"],
  },
  {
    name: "tcp-one-for-each-host",
    hosts: ["echo"],
    cluster: perHost({ max_connections: 1 }),
    isTcp: true,
    run: async (side) => {
      const talk = await holdTalk(side);
      const second = side.talk();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const waits = second.isWaiting();
      const during = await side.counted(["upstream_cx_overflow", "upstream_rq_pending_active"]);
      await talk.leave();
      const answer = await second.answer();
      await second.leave();
      return { waits, during, answer };
    },
    expected: { waits: true, during: [1, 1], answer: "hello" },
    log: ["-", "-"],
  },
  {
    name: "tcp-connect-timeout",
    hosts: ["hangs"],
    cluster: { connect_timeout: "0.2s" },
    isTcp: true,
    tcp: { max_connect_attempts: 2 },
    run: async (side) => ({
      answer: await side.talk().answer(),
      after: await side.counted([...TCP_COUNTS, "upstream_cx_connect_timeout"]),
    }),
    expected: { answer: "closed", after: [2, 0, 2, 1, 2, 0, 0, 2, 0, 2, 0, 2] },
    log: ["UF,URX"],
  },
  {
    name: "tcp-connect-timeout-and-another-host",
    hosts: ["hangs", "echo"],
    cluster: { connect_timeout: "0.2s" },
    isTcp: true,
    tcp: { max_connect_attempts: 3 },
    run: async (side) => {
      // Which host is first is chance; the second client finds the other one in any case.
      for (let times = 0; times < 2; times++) await (await holdTalk(side)).leave();
      await side.stat("upstream_cx_active", 0);
      return { after: await side.counted(["upstream_rq_total"]) };
    },
    expected: { after: [2] },
    log: [expect.stringMatching(/^(-|UF)$/), "UF"],
  },
  {
    name: "tcp-who-leaves-is-missed-later",
    hosts: ["hangs"],
    // As in Envoy nothing is read from the client until then.
    cluster: { connect_timeout: "0.4s" },
    isTcp: true,
    run: async (side) => {
      const talk = side.talk();
      await side.stat("upstream_rq_pending_active", 1);
      await talk.leave();
      await side.stat("upstream_rq_pending_active", 0);
      await side.stat("upstream_cx_active", 0);
      return { after: await side.counted(TCP_COUNTS) };
    },
    expected: { after: [1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0] },
    log: ["UF,URX"],
  },
  {
    name: "tcp-refused",
    hosts: ["refuses"],
    cluster: {},
    isTcp: true,
    tcp: { max_connect_attempts: 3 },
    run: async (side) => ({
      answer: await side.talk().answer(),
      after: await side.counted(TCP_COUNTS),
    }),
    expected: { answer: "closed", after: [3, 0, 3, 1, 0, 3, 0, 3, 0, 3, 0] },
    log: ["UF,URX"],
  },
];

/** Clusters with limits of every kind, each with a statistic, a flag or an answer to show for it. */
export const LIMIT_CASES: readonly LimitCase[] = [...HTTP_CASES, ...TCP_CASES];
