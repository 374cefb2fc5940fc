import { describe, expect, test } from "vitest";
import type { Issue } from "../../base/issue.ts";
import type { LogEntry } from "./access-log.ts";
import { compileFormat, DEFAULT_FORMAT } from "./format.ts";

const ENTRY: LogEntry = {
  startMs: 0,
  durationMs: 12.4,
  method: "GET",
  path: "/x",
  protocol: "HTTP/1.1",
  status: 200,
  flag: "",
  details: "via_upstream",
  bytesReceived: 0,
  bytesSent: 5,
  upstreamHost: "127.0.0.1:80",
  upstreamCluster: "up",
  routeName: "",
  downstreamAddress: "127.0.0.1:1234",
  localAddress: "127.0.0.1:80",
  attempts: 1,
  requestHeader: (name) =>
    ({ ":method": "GET", ":path": "/x", ":authority": "a.test", "user-agent": "curl" })[name],
  responseHeader: (name) => (name === "x-up" ? "yes" : undefined),
};

function format(text: string): string {
  const issues: Issue[] = [];
  const compiled = compileFormat(text, "f", issues);
  return issues.length > 0
    ? `issues: ${issues.map(({ message }) => message).join()}`
    : compiled(ENTRY);
}

describe("compileFormat()", () => {
  test("writes Envoy's default line", () => {
    expect(format(DEFAULT_FORMAT)).toBe(
      '[1970-01-01T00:00:00.000Z] "GET /x HTTP/1.1" 200 - 0 5 12 - "-" "curl" "-" "a.test" "127.0.0.1:80"\n',
    );
  });

  test("takes alternatives and lengths", () => {
    expect(format("%REQ(X-NONE?USER-AGENT):2% %RESP(X-UP)% 100%%")).toBe("cu yes 100%");
  });

  test("refuses an operator that is not built by its name", () => {
    expect(format("%DYNAMIC_METADATA(a:b)%")).toBe(
      "issues: operator %DYNAMIC_METADATA(a:b)% is not supported yet",
    );
  });
});
