import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { describe, expect, test } from "vitest";
import { checkOverHttp2 } from "./http2-health.ts";

/** Answers with a status, other headers and a body. */
function says(
  status: number,
  body = "fine",
  headers: OutgoingHttpHeaders = {},
): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.respond({ ":status": status, ...headers });
    stream.end(body);
  };
}

/** What a host does with a check, and what of the check is not as usual. */
const CASES: readonly {
  readonly name: string;
  readonly answers: (stream: ServerHttp2Stream) => void;
  readonly http?: object;
  readonly more?: object;
  readonly isEarly?: boolean;
}[] = [
  { name: "200", answers: says(200) },
  { name: "a head alone", answers: (stream) => stream.respond({}, { endStream: true }) },
  { name: "503", answers: says(503) },
  { name: "degraded", answers: says(200, "", { "x-envoy-degraded": "1" }) },
  { name: "a wish to be left alone", answers: says(503, "", immediately()) },
  { name: "another status", answers: says(404), http: { expected_statuses: [rangeOf(404)] } },
  {
    name: "a body that says it",
    answers: says(200, "all is fine here"),
    http: { receive: [{ text: Buffer.from("fine").toString("hex") }] },
  },
  {
    name: "a body that does not",
    answers: says(200, "nothing"),
    http: { receive: [{ text: Buffer.from("fine").toString("hex") }] },
  },
  {
    name: "trailers behind it",
    answers(stream) {
      stream.respond({}, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-t": "1" }));
      stream.end("fine");
    },
  },
  {
    name: "an interim head before it",
    answers(stream) {
      stream.additionalHeaders({ ":status": 103 });
      says(200)(stream);
    },
  },
  {
    name: "its own name",
    answers: says(200, "", { "x-envoy-upstream-healthchecked-cluster": "mine-1" }),
    http: { service_name_matcher: { prefix: "mine" } },
  },
  {
    name: "another's name",
    answers: says(200, "", { "x-envoy-upstream-healthchecked-cluster": "yours" }),
    http: { service_name_matcher: { prefix: "mine" } },
  },
  { name: "a reset", answers: (stream) => stream.close(2) },
  {
    name: "a reset behind the head",
    answers(stream) {
      stream.respond({});
      stream.write("fi");
      setTimeout(() => stream.close(2), 20);
    },
  },
  { name: "a connection that breaks", answers: (stream) => stream.session?.destroy() },
  {
    name: "a connection that says goodbye",
    answers(stream) {
      says(200)(stream);
      stream.session?.goaway(0, stream.id);
    },
  },
  { name: "silence", answers: () => undefined },
  {
    name: "a request with a method, a body, headers and a host",
    answers: says(200),
    http: {
      method: "POST",
      host: "checked.test",
      send: { text: Buffer.from("how are you").toString("hex") },
      request_headers_to_add: [{ header: { key: "x-a", value: "%PROTOCOL% b" } }],
      request_headers_to_remove: ["user-agent"],
    },
  },
  {
    name: "an answer before it has heard all",
    answers: says(200),
    http: { method: "POST", send: { text: Buffer.alloc(100_000, "x").toString("hex") } },
    isEarly: true,
  },
  { name: "a connection for each", answers: says(200), more: { reuse_connection: false } },
];

function immediately(): OutgoingHttpHeaders {
  return { "x-envoy-immediate-health-check-fail": "true" };
}

function rangeOf(status: number): object {
  return { start: status, end: status + 1 };
}

describe("a health check over HTTP/2 is made and understood as by Envoy", () => {
  test.each(CASES)("$name", async ({ answers, http, more, isEarly }) => {
    const check = { path: "/check?a=1", codec_client_type: "HTTP2", ...http };
    const options = { http_health_check: check, ...more };
    const { weft, envoy } = await checkOverHttp2(answers, options, isEarly);
    expect(weft).toEqual(envoy);
  });
});
