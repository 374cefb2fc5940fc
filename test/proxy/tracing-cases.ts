import type { TracingListener } from "./tracing-bootstrap.ts";

/** One request, and how many spans come of it. */
export interface TracingCase {
  readonly name: string;
  readonly listener: TracingListener;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly spans: number;
}

const TRACE = "463ac35c9f6413ad48485a3953bb6124";
const B3 = {
  "x-b3-traceid": TRACE,
  "x-b3-spanid": "a2fb4a1d1a96d312",
  "x-b3-parentspanid": "0020000000000001",
  "x-b3-sampled": "1",
};
const { "x-b3-sampled": _sampled, ...B3_UNDECIDED } = B3;
const SINGLE = `${TRACE}-a2fb4a1d1a96d312-1-0020000000000001`;
const W3C = {
  traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
  tracestate: "a=b,c=d",
  baggage: "user=alice",
};
const W3C_OFF = { ...W3C, traceparent: W3C.traceparent.replace(/01$/, "00") };

const ID = (reason: string): string => `12345678-1234-${reason}234-8234-123456789012`;

type Short = Omit<TracingCase, "listener" | "name" | "spans"> & { readonly spans?: number };

function on(
  listener: TracingListener,
  cases: Readonly<Record<string, Short>>,
  spans: number,
): TracingCase[] {
  return Object.entries(cases).map(([name, one]) => ({
    spans,
    ...one,
    name: `${listener}: ${name}`,
    listener,
  }));
}

const PARENTS_B3: Readonly<Record<string, Short>> = {
  "a parent": { headers: B3 },
  "a parent without a decision": { headers: B3_UNDECIDED },
  "a parent without a parent": { headers: { ...B3, "x-b3-parentspanid": "" } },
  "a parent whose parent is zero": { headers: { ...B3, "x-b3-parentspanid": "0" } },
  "a short trace": { headers: { ...B3, "x-b3-traceid": "48485a3953bb6124" } },
  "a long trace of zeros and little": {
    headers: { ...B3, "x-b3-traceid": "000000000000000048485a3953bb6124" },
  },
  "capital letters": { headers: { ...B3, "x-b3-spanid": "A2FB4A1D1A96D312" } },
  "short numbers": { headers: { ...B3, "x-b3-traceid": "abc", "x-b3-spanid": "1" } },
  "an unsampled parent": { headers: { ...B3, "x-b3-sampled": "0" }, spans: 0 },
  "a decision only": { headers: { "x-b3-sampled": "true" } },
  "a refusal only": { headers: { "x-b3-sampled": "0" }, spans: 0 },
  "the debug flag, which is for the single header": {
    headers: { ...B3, "x-b3-sampled": "d" },
    spans: 0,
  },
  "a trace that is none": { headers: { ...B3, "x-b3-traceid": "zz" }, spans: 0 },
  "a span that is none": { headers: { ...B3, "x-b3-spanid": "1".repeat(17) }, spans: 0 },
  "a parent that is none": { headers: { ...B3, "x-b3-parentspanid": "-" }, spans: 0 },
  "a span without a trace": { headers: { "x-b3-spanid": "1", "x-b3-sampled": "1" } },
  "one header": { headers: { b3: SINGLE } },
  "one header without a parent": { headers: { b3: SINGLE.substring(0, 51) } },
  "one header without a decision": { headers: { b3: SINGLE.substring(0, 49) } },
  "one header for debugging": { headers: { b3: `${TRACE}-a2fb4a1d1a96d312-d` } },
  "one header of a short trace": { headers: { b3: SINGLE.substring(16) } },
  "one header that refuses": { headers: { b3: "0" }, spans: 0 },
  "one header that asks": { headers: { b3: "1" } },
  "one header that is empty": { headers: { b3: "" }, spans: 0 },
  "one header that is none": { headers: { b3: "x" }, spans: 0 },
  "one header that is too long": { headers: { b3: `${SINGLE}0` }, spans: 0 },
  "one header that is too short": { headers: { b3: SINGLE.substring(0, 50) }, spans: 0 },
  "both, of which one counts": { headers: { ...B3, b3: SINGLE.replace(/^4/, "5") } },
};

const ENDS: Readonly<Record<string, Short>> = {
  "a plain request": { path: "/?a=b" },
  "an agent and a client's trace": {
    headers: { "user-agent": "me", "x-client-trace-id": "mine" },
  },
  "a method that nobody knows": { method: "PURGE" },
  "a decorator": { path: "/decorated" },
  "a decorator that is not told": { path: "/decorated/quietly" },
  "a decorator beside the caller's word": {
    path: "/decorated",
    headers: { "x-envoy-decorator-operation": "called" },
  },
  "a callee's word": { path: "/?say=answered" },
  "a callee's empty word": { path: "/?say=" },
  "a rewritten path and host": { path: "/rewrite/x" },
  "an error of the upstream": { path: "/no-route-below/500" },
  "a client's error": { path: "/no-route-below/404" },
  "an answer of the route": { path: "/direct" },
  "a redirect of the route": { path: "/redirect" },
  "no route": { path: "/none" },
  "no cluster": { path: "/nowhere" },
  "no host": { path: "/empty" },
  "a host that refuses": { path: "/refused" },
  "a reset": { path: "/no-route-below/reset" },
  "a response that is cut off": { path: "/no-route-below/cut" },
  "a timeout": { path: "/slow" },
  "a retry": { path: "/retry/once" },
  "a retry after a body": { path: "/retry/once-body" },
  "retries that are used up": { path: "/retry/500" },
  "a try that is too slow": { path: "/try-slow" },
  "a gRPC call": {
    path: "/no-route-below/grpc?status=0",
    headers: { "content-type": "application/grpc", te: "trailers", "grpc-timeout": "1S" },
  },
  "a gRPC call that fails": {
    path: "/no-route-below/grpc?status=13",
    headers: { "content-type": "application/grpc", te: "trailers" },
  },
  ...Object.fromEntries(
    ["1", "2", "3", "4", "5", "7", "12", "14", "16", "17", "x", ""].map((status) => [
      `a gRPC call that ends with "${status}"`,
      {
        path: `/no-route-below/grpc?status=${status}`,
        headers: { "content-type": "application/grpc", te: "trailers" },
      },
    ]),
  ),
  "words of the route": { path: "/own" },
  "a redirect that is followed inside": { path: "/leave" },
};

const NO_ATTEMPT = new Set([
  "an answer of the route",
  "a redirect of the route",
  "no route",
  "no cluster",
  "no host",
]);
const TWO_ATTEMPTS = new Set(["a retry", "a retry after a body", "a try that is too slow"]);

/** With a span for each attempt as well. */
function withAttempts(cases: Readonly<Record<string, Short>>): Readonly<Record<string, Short>> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, one]) => {
      if (one.spans === 0) return [name, one];
      const attempts = NO_ATTEMPT.has(name) ? 0 : TWO_ATTEMPTS.has(name) ? 2 : 1;
      const isLong = name === "retries that are used up";
      const isTwice = name === "a redirect that is followed inside";
      return [name, { ...one, spans: isTwice ? 4 : 1 + (isLong ? 3 : attempts) }];
    }),
  );
}

/** One span, but for the request that becomes another one, which its parent decides about. */
function alone(cases: Readonly<Record<string, Short>>): Readonly<Record<string, Short>> {
  const { "a redirect that is followed inside": twice, ...rest } = cases;
  return { ...rest, "a redirect that is followed inside": { ...twice, spans: 2 } };
}

/** What is redirected inside is not decided about again, and parents do not count here. */
function withoutRedirect(cases: Readonly<Record<string, Short>>): Readonly<Record<string, Short>> {
  const { "a redirect that is followed inside": one, ...rest } = cases;
  const spans = (one?.spans ?? 2) / 2;
  return { ...rest, "a redirect that is followed inside": { ...one, spans } };
}

const DECISIONS: Readonly<Record<string, Short>> = {
  "by chance": {},
  "a client that asks": {
    headers: { "x-client-trace-id": "c", "x-request-id": ID("4") },
    spans: 1,
  },
  "a client that asks where few may": {
    path: "/client-half",
    headers: { "x-client-trace-id": "c", "x-request-id": ID("4") },
  },
  "a number that is within": {
    path: "/client-half",
    headers: { "x-request-id": ID("4").replace("12345678", "00002710") },
    spans: 1,
  },
  "a number that is not": {
    path: "/client-half",
    headers: { "x-request-id": ID("4").replace("12345678", "00002742") },
  },
  "somebody who forces it": {
    headers: { "x-envoy-force-trace": "1", "x-request-id": ID("4") },
  },
  "an ID that was sampled": { headers: { "x-request-id": ID("9") }, spans: 1 },
  "an ID that was forced": { headers: { "x-request-id": ID("a") }, spans: 1 },
  "an ID of a client's trace": { headers: { "x-request-id": ID("b") }, spans: 1 },
  "an ID that is none": { headers: { "x-request-id": "corrupt" } },
  "an ID that is short": {
    headers: { "x-request-id": "00000000", "x-client-trace-id": "c" },
    spans: 1,
  },
  "an ID that was sampled, on a route that never is": {
    path: "/never",
    headers: { "x-request-id": ID("9") },
  },
};

/** The same requests, of which others are traced. */
function tracedOnly(
  cases: Readonly<Record<string, Short>>,
  traced: readonly string[],
): Readonly<Record<string, Short>> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, one]) => [
      name,
      { ...one, spans: traced.includes(name) ? 1 : 0 },
    ]),
  );
}

const SAMPLING: Readonly<Record<string, Short>> = {
  "no parent": { spans: 1 },
  "a sampled parent": { headers: W3C, spans: 1 },
  "a parent that is not sampled": { headers: W3C_OFF },
};

/** Every way in which a request is traced; those of one listener follow each other. */
export const TRACING_CASES: readonly TracingCase[] = [
  ...on("zipkinIn", alone(ENDS), 1),
  ...on("zipkinIn", PARENTS_B3, 1),
  ...on("zipkinOut", withAttempts(ENDS), 2),
  ...on("zipkinOut", withAttempts(PARENTS_B3), 2),
  ...on(
    "zipkinOut",
    {
      "a W3C parent": { headers: W3C },
      "a W3C parent that is not sampled": { headers: W3C_OFF, spans: 0 },
      "a W3C parent that is none": { headers: { ...W3C, traceparent: "00-1" }, spans: 0 },
      "both kinds of parents": { headers: { ...W3C_OFF, ...B3 } },
    },
    2,
  ),
  ...on("zipkinAlone", DECISIONS, 0),
  ...on(
    "zipkinAlone",
    { "a parent": { headers: B3 }, "one header": { headers: { b3: SINGLE } } },
    1,
  ),
  ...on("otelIn", withoutRedirect(ENDS), 1),
  ...on(
    "otelIn",
    {
      "a parent": { headers: W3C },
      "a parent that is not sampled": { headers: W3C_OFF, spans: 0 },
      "capital letters": { headers: { traceparent: W3C.traceparent.toUpperCase() } },
      "another version": { headers: { traceparent: `cc${W3C.traceparent.substring(2)}` } },
      "more flags": { headers: { traceparent: W3C.traceparent.replace(/01$/, "ff") } },
      "a parent that is none": { headers: { ...W3C, traceparent: "00-zz" }, spans: 0 },
      "a trace of zeros": {
        headers: { traceparent: W3C.traceparent.replace(TRACE, "0".repeat(32)) },
        spans: 0,
      },
      "a span of zeros": {
        headers: { traceparent: W3C.traceparent.replace("b7ad6b7169203331", "0".repeat(16)) },
        spans: 0,
      },
      "a state without a parent": { headers: { tracestate: "a=b" } },
      "B3, which is not its kind": { headers: B3 },
    },
    1,
  ),
  ...on("otelOut", withoutRedirect(withAttempts(ENDS)), 2),
  ...on(
    "otelOut",
    { "a parent": { headers: W3C }, "an own one": { path: "/own", headers: W3C } },
    2,
  ),
  ...on("otelSampled", SAMPLING, 0),
  ...on("otelSampled", { "a route that is not": { path: "/unsampled", headers: W3C } }, 0),
  ...on(
    "otelRatio",
    {
      "a trace that is within": {
        headers: {
          traceparent: W3C_OFF.traceparent
            .replace(/4(?=63a)/, "3")
            .replace(/^00-.{16}/, "00-3100000000000032"),
        },
      },
      "a trace that is not": {
        headers: { traceparent: W3C.traceparent.replace(/^00-.{16}/, "00-3200000000000000") },
      },
    },
    0,
  ),
  ...on(
    "edge",
    tracedOnly(DECISIONS, ["a client that asks", "a number that is within", "an ID that is short"]),
    0,
  ),
  ...on("inside", tracedOnly(DECISIONS, ["a number that is within", "an ID that is short"]), 0),
  ...on(
    "inside",
    {
      "somebody who forces it, within": {
        headers: {
          "x-envoy-force-trace": "1",
          "x-request-id": ID("4").replace("12345678", "00000001"),
        },
        spans: 1,
      },
    },
    0,
  ),
  ...on(
    "free",
    { ...SAMPLING, "an ID that is none": { headers: { "x-request-id": "corrupt" }, spans: 1 } },
    0,
  ),
  ...on("noTracer", { ...DECISIONS, "a decorator": { path: "/decorated" } }, 0).map((one) => ({
    ...one,
    spans: 0,
  })),
  ...on("silent", { "a parent": { headers: B3 }, "no parent": {} }, 2),
];
