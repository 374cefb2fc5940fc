import { answer, type CallCase, callCases, message } from "./call-case.ts";
import { own } from "./filter-case.ts";

const OK = 200;
const HI = message("hi");
const GRPC = { "content-type": "application/grpc", te: "trailers" };
const UNARY = { "content-type": "application/proto", "connect-protocol-version": "1" };
const STREAM = { "content-type": "application/connect+proto" };

function stats(config: object): readonly object[] {
  return [own("grpc_stats.v3.FilterConfig", config)];
}

/** What a stream of Connect ends with. */
function streamed(messages: readonly string[], end: string): CallCase["script"] {
  const pieces = [...messages.map((one) => message(one)), message(end, 2)];
  return {
    headers: { ":status": 200, "content-type": "application/connect+proto" },
    body: [Buffer.concat(pieces)],
  };
}

const CALLS: readonly (Pick<CallCase, "name" | "script" | "status"> & Partial<CallCase>)[] = [
  { name: "a call", script: answer(["hello"]), status: OK },
  { name: "a call that fails", script: answer([], { "grpc-status": "5" }), status: OK },
  {
    name: "streams",
    body: [HI.subarray(0, 3), HI.subarray(3), Buffer.concat([HI, HI, message("")])],
    script: answer(["one", "", Buffer.concat([message("two"), message("a".repeat(70_000))])]),
    status: OK,
  },
  {
    name: "nothing but a head",
    script: {
      headers: { ":status": 200, "content-type": "application/grpc", "grpc-status": "7" },
    },
    status: OK,
  },
  {
    name: "an answer that is no gRPC",
    script: { headers: { ":status": 404, "content-type": "text/plain" }, body: ["no"] },
    status: 404,
  },
  { name: "no upstream", script: "none", status: OK, ignores: ["log"] },
  {
    name: "a status that is no number",
    script: answer(["one"], { "grpc-status": "what" }),
    status: OK,
  },
  {
    name: "what is no gRPC",
    headers: { "content-type": "text/plain" },
    script: answer(["hello"]),
    status: OK,
  },
  {
    name: "a path that is no call",
    query: "/more",
    script: answer(["hello"]),
    status: OK,
  },
  { name: "a query", query: "?a=b/c", script: answer(["hello"]), status: OK },
  {
    name: "a call of Connect",
    headers: UNARY,
    body: ["hi"],
    script: { headers: { ":status": 200, "content-type": "application/proto" }, body: ["hello"] },
    status: OK,
  },
  {
    name: "a call of Connect that fails",
    headers: UNARY,
    body: ["hi"],
    script: {
      headers: { ":status": 404, "content-type": "application/json" },
      body: ['{"code":"unimplemented"}'],
    },
    status: 404,
  },
  {
    name: "a stream of Connect",
    headers: STREAM,
    body: [Buffer.concat([HI, HI])],
    script: streamed(["one", "two", "three"], "{}"),
    status: OK,
  },
  {
    name: "a stream of Connect that fails",
    headers: STREAM,
    body: [HI],
    script: streamed(["one"], '{"error":{"code":"internal"}}'),
    status: OK,
  },
  {
    name: "a stream of Connect that does not end well",
    headers: STREAM,
    body: [HI],
    script: streamed([], "what"),
    status: OK,
  },
];

function withConfig(what: string, config: object): readonly CallCase[] {
  const common = { filters: stats(config), over: "HTTP/2", headers: GRPC, body: [HI] } as const;
  return callCases(common, CALLS).map((one) => ({ ...one, name: `${what}: ${one.name}` }));
}

/** The method of the first case has a number of its own, wherever it stands among all cases. */
export function statsCases(first: number): readonly CallCase[] {
  return [
    ...withConfig("grpc_stats", {}),
    ...withConfig("grpc_stats, with state", {
      emit_filter_state: true,
      stats_for_all_methods: false,
    }),
    ...withConfig("grpc_stats for all", {
      emit_filter_state: true,
      stats_for_all_methods: true,
      enable_upstream_stats: true,
    }),
    ...withConfig("grpc_stats without dots", {
      stats_for_all_methods: true,
      replace_dots_in_grpc_service_name: true,
    }),
    ...withConfig("grpc_stats for some", {
      individual_method_stats_allowlist: {
        services: [{ name: "pkg.Svc", method_names: [`M${first + 4 * CALLS.length}`, "Other"] }],
      },
    }),
  ];
}

/** Envoy counts this twice, and notes no messages: once as a stream, once by its version as a call. */
export const STREAM_WITH_VERSION: CallCase = {
  name: "grpc_stats: a stream of Connect with its version",
  filters: stats({ emit_filter_state: true }),
  over: "HTTP/2",
  headers: { ...STREAM, "connect-protocol-version": "1" },
  body: [Buffer.concat([HI, HI])],
  script: streamed(["one", "two", "three"], "{}"),
  status: OK,
};
