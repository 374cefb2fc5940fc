/** One request to a route with these faults. */
export interface FaultCase {
  readonly name: string;
  /** `HTTPFault` of the route. */
  readonly fault: object;
  readonly lines?: string;
  readonly method?: string;
  readonly status: number;
  /** How long it must take at least, in milliseconds. */
  readonly tookMs?: number;
  /** The upstream's path; that of a small body otherwise. */
  readonly path?: string;
}

export const ALWAYS = { numerator: 100 };
const ABORT = { http_status: 418, percentage: ALWAYS };
const DELAY = { fixed_delay: "0.06s", percentage: ALWAYS };
const BY_HEADER = { header_abort: {}, percentage: ALWAYS };
const DELAY_BY_HEADER = { header_delay: {}, percentage: ALWAYS };
const GRPC = "Content-Type: application/grpc\r\n";

const ABORTS: readonly FaultCase[] = [
  { name: "an abort", fault: { abort: ABORT }, status: 418 },
  { name: "an abort of HEAD", fault: { abort: ABORT }, method: "HEAD", status: 418 },
  { name: "an abort of POST with a body", fault: { abort: ABORT }, method: "POST", status: 418 },
  { name: "an abort of a gRPC call", fault: { abort: ABORT }, lines: GRPC, status: 200 },
  {
    name: "an abort of a gRPC call with a coding",
    fault: { abort: { ...ABORT, http_status: 503 } },
    lines: "Content-Type: application/grpc+json\r\n",
    status: 200,
  },
  {
    name: "an abort of gRPC-Web, which is not gRPC",
    fault: { abort: ABORT },
    lines: "Content-Type: application/grpc-web\r\n",
    status: 418,
  },
  {
    name: "a gRPC abort of a gRPC call",
    fault: { abort: { grpc_status: 5, percentage: ALWAYS } },
    lines: GRPC,
    status: 200,
  },
  {
    name: "a gRPC abort of a plain request",
    fault: { abort: { grpc_status: 5, percentage: ALWAYS } },
    status: 200,
  },
  { name: "an abort of 0 %", fault: { abort: { ...ABORT, percentage: {} } }, status: 200 },
  { name: "an abort without a percentage", fault: { abort: { http_status: 418 } }, status: 200 },
  {
    name: "an abort of all in ten thousand",
    fault: { abort: { ...ABORT, percentage: { numerator: 10_000, denominator: "TEN_THOUSAND" } } },
    status: 418,
  },
  {
    name: "an abort of all in a million",
    fault: { abort: { ...ABORT, percentage: { numerator: 1_000_000, denominator: "MILLION" } } },
    status: 418,
  },
  {
    name: "an abort of more than all",
    fault: { abort: { ...ABORT, percentage: { numerator: 200 } } },
    status: 418,
  },
  { name: "an abort with 200", fault: { abort: { ...ABORT, http_status: 200 } }, status: 200 },
  { name: "an abort with 204", fault: { abort: { ...ABORT, http_status: 204 } }, status: 204 },
];

const HEADER_ABORTS: readonly FaultCase[] = [
  ["the header", "X-Envoy-Fault-Abort-Request: 503\r\n", 503],
  ["no header", "", 200],
  ["a status too small", "X-Envoy-Fault-Abort-Request: 199\r\n", 200],
  ["a status too large", "X-Envoy-Fault-Abort-Request: 600\r\n", 200],
  ["no number", "X-Envoy-Fault-Abort-Request: 5xx\r\n", 200],
  ["a signed number", "X-Envoy-Fault-Abort-Request: +503\r\n", 503],
  ["a negative number", "X-Envoy-Fault-Abort-Request: -503\r\n", 200],
  [
    "the header twice",
    "X-Envoy-Fault-Abort-Request: 501\r\nX-Envoy-Fault-Abort-Request: 502\r\n",
    501,
  ],
  ["a gRPC status", `X-Envoy-Fault-Abort-Grpc-Request: 7\r\n${GRPC}`, 200],
  [
    "both statuses",
    "X-Envoy-Fault-Abort-Request: 503\r\nX-Envoy-Fault-Abort-Grpc-Request: 7\r\n",
    503,
  ],
  [
    "0 % asked for",
    "X-Envoy-Fault-Abort-Request: 503\r\nX-Envoy-Fault-Abort-Request-Percentage: 0\r\n",
    200,
  ],
  [
    "more asked for than may be",
    "X-Envoy-Fault-Abort-Request: 503\r\nX-Envoy-Fault-Abort-Request-Percentage: 300\r\n",
    503,
  ],
  [
    "nonsense asked for",
    "X-Envoy-Fault-Abort-Request: 503\r\nX-Envoy-Fault-Abort-Request-Percentage: many\r\n",
    503,
  ],
].map(([name, lines, status]) => ({
  name: `an abort by ${String(name)}`,
  fault: { abort: BY_HEADER },
  lines: String(lines),
  status: Number(status),
}));

const DELAYS: readonly FaultCase[] = [
  { name: "a delay", fault: { delay: DELAY }, status: 200, tookMs: 60 },
  { name: "a delay of a POST", fault: { delay: DELAY }, method: "POST", status: 200, tookMs: 60 },
  { name: "a delay and an abort", fault: { delay: DELAY, abort: ABORT }, status: 418, tookMs: 60 },
  { name: "a delay of 0 %", fault: { delay: { ...DELAY, percentage: {} } }, status: 200 },
  {
    name: "a delay by its header",
    fault: { delay: DELAY_BY_HEADER },
    lines: "X-Envoy-Fault-Delay-Request: 70\r\n",
    status: 200,
    tookMs: 70,
  },
  { name: "a delay by a header that is not there", fault: { delay: DELAY_BY_HEADER }, status: 200 },
  {
    name: "a delay by a header of 0",
    fault: { delay: DELAY_BY_HEADER },
    lines: "X-Envoy-Fault-Delay-Request: 0\r\n",
    status: 200,
  },
  {
    name: "a delay by a header that is no number",
    fault: { delay: DELAY_BY_HEADER },
    lines: "X-Envoy-Fault-Delay-Request: 1s\r\n",
    status: 200,
  },
  {
    name: "a delay by header of 0 % asked for",
    fault: { delay: DELAY_BY_HEADER },
    lines: "X-Envoy-Fault-Delay-Request: 5000\r\nX-Envoy-Fault-Delay-Request-Percentage: 0\r\n",
    status: 200,
  },
  {
    name: "a delay of a client that says its cluster",
    fault: { delay: DELAY, abort: ABORT },
    lines: "X-Envoy-Downstream-Service-Cluster: shop\r\n",
    status: 418,
    tookMs: 60,
  },
  {
    name: "a delay of a client whose cluster is not counted",
    fault: { delay: DELAY, abort: ABORT, disable_downstream_cluster_stats: true },
    lines: "X-Envoy-Downstream-Service-Cluster: stall\r\n",
    status: 418,
    tookMs: 60,
  },
];

/** Keys of the runtime that the bootstrap of these cases has; each says otherwise than the route. */
export const RUNTIME = {
  test: { none: 0, all: 100, status: 420, delay: 70, active: 0 },
  "fault.http.runner.abort.http_status": 421,
  "fault.http.runner.delay.fixed_duration_ms": 80,
  "fault.http.idler.abort.abort_percent": 0,
};

const BY_RUNTIME: readonly FaultCase[] = [
  {
    name: "an abort that the runtime switches off",
    fault: { abort: ABORT, abort_percent_runtime: "test.none" },
    status: 200,
  },
  {
    name: "an abort that the runtime switches on",
    fault: { abort: { ...ABORT, percentage: {} }, abort_percent_runtime: "test.all" },
    status: 418,
  },
  {
    name: "an abort with the runtime's status",
    fault: { abort: ABORT, abort_http_status_runtime: "test.status" },
    status: 420,
  },
  {
    name: "a delay as long as the runtime says",
    fault: {
      delay: { fixed_delay: "0.001s", percentage: ALWAYS },
      delay_duration_runtime: "test.delay",
    },
    status: 200,
    tookMs: 70,
  },
  {
    name: "a delay that the runtime switches off",
    fault: { delay: { ...DELAY, fixed_delay: "100s" }, delay_percent_runtime: "test.none" },
    status: 200,
  },
  {
    name: "no fault, as the runtime lets none be active",
    fault: { abort: ABORT, max_active_faults_runtime: "test.active" },
    status: 200,
  },
  {
    name: "an abort and a delay that the runtime has for the client's cluster",
    fault: { abort: ABORT, delay: DELAY, abort_http_status_runtime: "test.status" },
    lines: "X-Envoy-Downstream-Service-Cluster: runner\r\n",
    status: 421,
    tookMs: 80,
  },
  {
    name: "an abort that the runtime switches off for the client's cluster",
    fault: { abort: ABORT },
    lines: "X-Envoy-Downstream-Service-Cluster: idler\r\n",
    status: 200,
  },
  {
    name: "an abort of a client whose cluster the runtime does not know",
    fault: { abort: ABORT, abort_http_status_runtime: "test.status" },
    lines: "X-Envoy-Downstream-Service-Cluster: walker\r\n",
    status: 418,
  },
  {
    name: "a slow response that the runtime switches off",
    fault: {
      response_rate_limit: { fixed_limit: { limit_kbps: 1 }, percentage: ALWAYS },
      response_rate_limit_percent_runtime: "test.none",
    },
    path: "/large",
    status: 200,
  },
];

const WHOM: readonly FaultCase[] = [
  {
    name: "an abort with something to log",
    fault: { abort: ABORT, filter_metadata: { why: "a drill", at: 3, nested: { deep: [true] } } },
    status: 418,
  },
  {
    name: "a delay with something to log",
    fault: { delay: DELAY, filter_metadata: { why: "a drill" } },
    status: 200,
    tookMs: 60,
  },
  {
    name: "an abort for the route's cluster",
    fault: { abort: ABORT, upstream_cluster: "up" },
    status: 418,
  },
  {
    name: "an abort for another cluster",
    fault: { abort: ABORT, upstream_cluster: "other" },
    status: 200,
  },
  {
    name: "an abort for a header",
    fault: { abort: ABORT, headers: [{ name: "end-user", string_match: { exact: "jason" } }] },
    lines: "End-User: jason\r\n",
    status: 418,
  },
  {
    name: "an abort for a header that is another",
    fault: { abort: ABORT, headers: [{ name: "end-user", string_match: { exact: "jason" } }] },
    lines: "End-User: jane\r\n",
    status: 200,
  },
  {
    name: "an abort for two headers, one of them missing",
    fault: { abort: ABORT, headers: [{ name: "end-user" }, { name: "missing" }] },
    lines: "End-User: jane\r\n",
    status: 200,
  },
  {
    name: "an abort for a node",
    fault: { abort: ABORT, downstream_nodes: ["one", "two"] },
    lines: "X-Envoy-Downstream-Service-Node: two\r\n",
    status: 418,
  },
  {
    name: "an abort for another node",
    fault: { abort: ABORT, downstream_nodes: ["one", "two"] },
    lines: "X-Envoy-Downstream-Service-Node: three\r\n",
    status: 200,
  },
  {
    name: "an abort for nodes of a client that says none",
    fault: { abort: ABORT, downstream_nodes: ["one"] },
    status: 200,
  },
  {
    name: "an abort when no fault may be active",
    fault: { abort: ABORT, max_active_faults: 0 },
    status: 200,
  },
  {
    name: "an abort and a delay when one fault may be active",
    fault: { abort: ABORT, delay: DELAY, max_active_faults: 1 },
    status: 418,
    tookMs: 60,
  },
];

const SLOW: readonly FaultCase[] = [
  {
    name: "a body of 200 KiB at 1 MiB a second",
    fault: { response_rate_limit: { fixed_limit: { limit_kbps: 1024 }, percentage: ALWAYS } },
    path: "/large",
    status: 200,
    tookMs: 120,
  },
  {
    name: "a body at a speed that the header says",
    fault: { response_rate_limit: { header_limit: {}, percentage: ALWAYS } },
    lines: "X-Envoy-Fault-Throughput-Response: 1024\r\n",
    path: "/large",
    status: 200,
    tookMs: 120,
  },
  {
    name: "a body at full speed, as the header says 0",
    fault: { response_rate_limit: { header_limit: {}, percentage: ALWAYS } },
    lines: "X-Envoy-Fault-Throughput-Response: 0\r\n",
    path: "/large",
    status: 200,
  },
  {
    name: "chunks at 1 KiB a second",
    fault: { response_rate_limit: { fixed_limit: { limit_kbps: 1 }, percentage: ALWAYS } },
    path: "/chunked",
    status: 200,
  },
  {
    name: "no body at 1 KiB a second",
    fault: { response_rate_limit: { fixed_limit: { limit_kbps: 1 }, percentage: ALWAYS } },
    path: "/204",
    status: 204,
  },
  {
    name: "an abort of a slow response",
    fault: {
      response_rate_limit: { fixed_limit: { limit_kbps: 1 }, percentage: ALWAYS },
      abort: ABORT,
    },
    status: 418,
  },
];

export const FAULT_CASES: readonly FaultCase[] = [
  ...ABORTS,
  ...HEADER_ABORTS,
  ...DELAYS,
  ...BY_RUNTIME,
  ...WHOM,
  ...SLOW,
];
