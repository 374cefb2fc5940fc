import type { IncomingHttpHeaders } from "node:http2";

/** Headers as sorted lines, without what no two runs share. */
export function plainHeaders(headers: IncomingHttpHeaders): readonly string[] {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  }
  return lines.map(plainLine).sort();
}

function plainLine(line: string): string {
  return line
    .replace(/^date: .*/, "date: now")
    .replace(
      /^x-envoy-expected-rq-timeout-ms: (15000|14\d{3})$/,
      "x-envoy-expected-rq-timeout-ms: 15000 at most",
    )
    .replace(/^x-request-id: [\da-f-]{36}$/, "x-request-id: new")
    .replace(/^x-envoy-upstream-service-time: \d+$/, "x-envoy-upstream-service-time: some")
    .replace(/^x-forwarded-port: \d+$/, "x-forwarded-port: some");
}
