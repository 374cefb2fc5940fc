import { expect, test } from "vitest";
import { encodeZipkinJson } from "./zipkin-encode.ts";
import type { ZipkinRecord } from "./zipkin-tracer.ts";

const RECORD: ZipkinRecord = {
  traceHigh: "",
  traceLow: "00000000000000aa",
  spanId: "00000000000000bb",
  parentId: "",
  isClient: false,
  isShared: true,
  name: "shop",
  startUs: 1_700_000_000_000_000,
  durationUs: 1500,
  endUs: 1_700_000_000_001_500,
  tags: new Map(),
  notes: [],
};
const ENDPOINT = { serviceName: "front", address: "10.0.0.1" };

test("encodeZipkinJson writes all fields of a span, and several spans", () => {
  const other = {
    ...RECORD,
    traceHigh: "00000000000000cc",
    parentId: "00000000000000dd",
    isClient: true,
    isShared: false,
    name: "",
    tags: new Map([["http.method", "GET"]]),
    notes: [{ event: "sent", atUs: 7 }],
  };
  expect(JSON.parse(encodeZipkinJson([RECORD, other], ENDPOINT).toString())).toEqual([
    {
      traceId: "00000000000000aa",
      id: "00000000000000bb",
      kind: "SERVER",
      name: "shop",
      timestamp: 1_700_000_000_000_000,
      duration: 1500,
      localEndpoint: { serviceName: "front", ipv4: "10.0.0.1", port: 0 },
      shared: true,
      annotations: [{ timestamp: 1_700_000_000_001_500, value: "ss" }],
      tags: {},
    },
    {
      traceId: "00000000000000cc00000000000000aa",
      parentId: "00000000000000dd",
      id: "00000000000000bb",
      kind: "CLIENT",
      timestamp: 1_700_000_000_000_000,
      duration: 1500,
      localEndpoint: { serviceName: "front", ipv4: "10.0.0.1", port: 0 },
      annotations: [
        { timestamp: 7, value: "sent" },
        { timestamp: 1_700_000_000_001_500, value: "cr" },
      ],
      tags: { "http.method": "GET" },
    },
  ]);
});

test("encodeZipkinJson keeps whatever stands in a header from ending its text", () => {
  const control = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join("");
  const values = ['"', "\\", "]", "[", "~ !#", "\x7f", control, 'a","b":"c', "\\u0022"];
  const tags = new Map(values.map((value, at) => [`tag ${at} ${value}`, value]));
  // UTF-8 as it came over the wire, and a byte that is none.
  tags.set("utf-8", "\xc3\xa4");
  tags.set("broken", "\xe4");
  const name = 'say "hi"\\';
  const [span] = JSON.parse(encodeZipkinJson([{ ...RECORD, name, tags }], ENDPOINT).toString());
  const expected = Object.fromEntries(values.map((value, at) => [`tag ${at} ${value}`, value]));
  expect(span.tags).toEqual({ ...expected, "utf-8": "ä", broken: "\ufffd" });
  expect(span.name).toBe(name);
});
