import { expect, test } from "vitest";
import { createCase, fuzzCodec, tryCase } from "./fuzz.ts";
import { fuzzHttp2 } from "./fuzz-http2.ts";
import { shrink } from "./shrink.ts";
import { traceWeft } from "./weft-trace.ts";

const seconds = Number(process.env["WEFT_FUZZ_SECONDS"] ?? 2);
const seed = Number(process.env["WEFT_FUZZ_SEED"] ?? Date.now() % 1_000_000);

test(`the HTTP/1.1 codec stands ${seconds} s of fuzzing, seed ${seed}`, {
  timeout: seconds * 1000 + 60_000,
}, () => {
  const endMs = performance.now() + seconds * 1000;
  const report = fuzzCodec(seed, () => performance.now() > endMs);
  process.stdout.write(`fuzz: ${report.cases} cases of seed ${seed}\n`);
  expect(report.failure).toBeUndefined();
});

test(`a session of HTTP/2 stands ${seconds} s of fuzzing, seed ${seed}`, {
  timeout: seconds * 1000 + 60_000,
}, () => {
  const endMs = performance.now() + seconds * 1000;
  const report = fuzzHttp2(seed, () => performance.now() > endMs);
  process.stdout.write(`fuzz: ${report.cases} cases of seed ${seed}\n`);
  expect(report.failure).toBeUndefined();
});

test("the fuzzer's inputs reach every part of the codec", () => {
  const ends = new Map<string, number>();
  let messages = 0;
  for (let index = 0; index < 5000; index++) {
    const { kind, text } = createCase(1, index);
    const trace = traceWeft(kind, text, []);
    messages += trace.messages.filter(({ isWhole }) => isWhole).length;
    ends.set(trace.end, (ends.get(trace.end) ?? 0) + 1);
  }
  expect(messages).toBeGreaterThan(1500);
  expect([...ends.keys()].sort()).toEqual([
    "400 bodiless",
    "400 http.invalid_authority",
    "400 http1.body_disallowed",
    "400 http1.codec_error",
    "400 http1.connection_header_rejected",
    "400 http1.content_length_and_chunked_not_allowed",
    "400 http1.invalid_characters",
    "400 http1.invalid_scheme",
    "400 http1.invalid_url",
    "400 missing_host_header",
    "400 path_normalization_failed",
    "426 low_version",
    "431 http1.headers_too_large",
    "431 http1.too_many_headers",
    "501 http1.invalid_transfer_encoding",
    "bad body",
    "open",
    "over",
  ]);
});

test.each([
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 x\r\nabc\r\n0\r\n\r\n",
  "GET /x\nHost: a\r\n\r\n",
  "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
])("what it found once stays mended: %j", (text) => {
  const everywhere = Array.from({ length: text.length - 1 }, (_, at) => at + 1);
  expect(tryCase({ kind: "request", text, cuts: everywhere })).toBeUndefined();
});

test("shrink() finds the smallest text that fails", () => {
  const isFailing = (text: string): boolean => /a.*b/s.test(text);
  expect(shrink(`..${"-".repeat(50)}a123b..`, isFailing)).toBe("ab");
});
