import { describe, expect, test } from "vitest";
import type { StreamInfo } from "./stream-info.ts";
import { compileFormat } from "./substitution.ts";

const HEADERS: Readonly<Record<string, string>> = {
  ":method": "GET",
  ":path": "/new/a/b?x=1&y=%41b",
  ":authority": "a.test:80",
  "x-envoy-original-path": "/a/b?x=1&y=%41b",
  "x-h": "v1",
};

const ADDRESS = { address: "10.1.10.23", port: 4711 };
const NS = { a: "x", n: 1.5, o: { l: [1, "2", null], b: true } };

const INFO = {
  connection: {
    remote: ADDRESS,
    directRemote: ADDRESS,
    local: { address: "2001:db8:0:0:1:0:0:1", port: 80 },
    serverName: "",
    tls: undefined,
  },
  remote: ADDRESS,
  protocol: "HTTP/1.1",
  status: 200,
  flag: "",
  details: "a reason",
  startMs: Date.UTC(2026, 10, 21, 15, 1, 46, 646),
  bytesSent: 5,
  durationMs: 3.2526,
  localReplyBody: "",
  upstream: { hostName: "[::1]:80", attempts: 2 },
  timeMs: (point: string) => ({ DS_RX_BEG: 1000, DS_TX_END: 1003.2526 })[point] ?? -1,
  requestHeader: (name: string) => HEADERS[name],
  responseHeader: () => undefined,
  responseTrailer: () => undefined,
  dynamicMetadata: (namespace: string) => (namespace === "ns" ? NS : undefined),
  metadata: (_kind: string, namespace: string) => (namespace === "ns" ? NS : undefined),
} as unknown as StreamInfo;

function format(text: string, empty: "-" | "" = "-"): string {
  const compiled = compileFormat(text, empty);
  return compiled.ok ? compiled.value(INFO) : `refused: ${compiled.issues[0]?.message}`;
}

describe("compileFormat()", () => {
  // What the real Envoy wrote for the same stream.
  test.each([
    ["100%% of é", Buffer.from("100% of é").toString("latin1")],
    ["%START_TIME%", "2026-11-21T15:01:46.646Z"],
    ["%START_TIME(%s.%3f %6f %f)%", "1795273306.646 646000 646000000"],
    [
      "%START_TIME(%a %A %b %B %c %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M %p %r %R %S %T)%",
      "Sat Saturday Nov November Sat Nov 21 15:01:46 2026 20 21 11/21/26 21 2026-11-21 26 2026 " +
        "Nov 15 03 325 15  3 11 01 PM 03:01:46 PM 15:01 46 15:01:46",
    ],
    [
      "%START_TIME(%u %U %V %w %W %x %X %y %Y %z %Z %E4Y %ES %E3S %E*S %E*f %Ez %E*z %:z %::z %%)%",
      "6 46 47 6 46 11/21/26 15:01:46 26 2026 +0000 UTC 2026 %ES 46.646 46.646 646 " +
        "+00:00 +00:00:00 +00:00 +00:00:00 %",
    ],
    ["%DURATION% %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%", "3 3252"],
    ["%REQUEST_DURATION% %COMMON_DURATION(foo:DS_TX_END:us)%", "- -"],
    ["%REQ(Y?X-H):1% %REQ(host)%%RESP(x)%", "v --"],
    ["%PATH% %PATH(NQ)% %PATH(NQ:PATH):3%", "/a/b?x=1&y=%41b /a/b /ne"],
    ["%QUERY_PARAM(y)% %QUERY_PARAMS(DECODED)%", "Ab x=1&y=Ab"],
    ["%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(SNI_FIRST)%", "- a.test:80"],
    ["%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", "a_reason a reason"],
    ["%CLUSTER_METADATA(ns:o)% %METADATA(UPSTREAM_HOST:ns:n)%", '{"b":true,"l":[1,"2",null]} 1.5'],
    ["%DYNAMIC_METADATA(ns:o):2% %DYNAMIC_METADATA(no)%", '{"b":true,"l":[1,"2",null]} -'],
    ["%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%", "10.1.0.0/16"],
    ["%DOWNSTREAM_LOCAL_ADDRESS%", "[2001:db8:0:0:1:0:0:1]:80"],
    ["%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(65)%", "2001:db8::/65"],
    ["%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%", "[::1]:80 ::1"],
    ["%RESPONSE_FLAGS% %GRPC_STATUS%", "- -"],
    ['%COALESCE({"operators": ["REQUESTED_SERVER_NAME", {"command": "PATH"}]}):2%', "/a"],
  ])("%s", (text, written) => {
    expect(format(text)).toBe(written);
  });

  test("leaves out of a header what is missing", () => {
    expect(format("a%REQ(none)%b", "")).toBe("ab");
  });

  // In the words of the real Envoy.
  test.each([
    ["%NOPE%", "Not supported field in StreamInfo: NOPE"],
    ["%REQ%", "REQ requires parameters"],
    ["%REQ(a?b?c)%", "More than 1 alternative header specified in token: a?b?c"],
    ["a % b", "Incorrect configuration: a % b. Couldn't find valid command at position 2"],
    [
      "%REQ(a):x%",
      "Incorrect configuration: %REQ(a):x%. Couldn't find valid command at position 0",
    ],
    ["%START_TIME():3%", "START_TIME does not allow length to be specified."],
    ["%START_TIME(%n)%", "Invalid header configuration. Format string contains newline."],
    ["%PROTOCOL:3%", "PROTOCOL does not take any parameters or length"],
    ["%COMMON_DURATION(a:b:s)%", "Invalid common duration precision: s."],
    ["%PATH(x)%", "Invalid PATH option: 'x', only 'WQ'/'NQ' are allowed"],
    ["%METADATA(x:y)%", "x is not supported type of metadata"],
    ["%FILTER_STATE(a:b)%", "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD."],
    [
      '%COALESCE({"operators":["NOPE"]})%',
      "COALESCE: failed to parse operator at index 0: unknown command: 'NOPE'",
    ],
  ])("refuses %s", (text, message) => {
    expect(format(text)).toBe(`refused: ${message}`);
  });
});
