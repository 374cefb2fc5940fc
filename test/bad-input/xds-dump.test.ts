import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { xdsDumpCommand } from "../../src/cli/xds-dump.ts";
import { type CommandResult, runCommand } from "../cli/fake-api.ts";
import { istio, service } from "../model/world.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-bad-input-"));

afterAll(() => rmSync(folder, { recursive: true }));

const vs = (name: string, spec: string): string => istio("VirtualService", name, spec);
const to = (destination: string): string => `{ route: [{ destination: { ${destination} } }] }`;

/** Everything at once in one file, and a rule of the best. */
const YAML = [
  service("a", { ip: "10.96.0.1" }),
  vs("host", `{ hosts: [a], http: [${to("host: nobody")}] }`),
  vs("second", `{ hosts: [a], http: [${to("host: a")}] }`),
  vs("subset", `{ hosts: [s.io], http: [${to("host: a, subset: v9")}] }`),
  vs("gateway", `{ hosts: [g.io], gateways: [nowhere], http: [${to("host: a")}] }`),
  vs("circle", "{ hosts: [c.io], http: [{ delegate: { name: one } }] }"),
  vs("one", "{ http: [{ delegate: { name: two } }] }"),
  vs("two", "{ http: [{ delegate: { name: one } }] }"),
  vs("self", "{ hosts: [d.io], http: [{ delegate: { name: self } }] }"),
  vs(
    "weights",
    "{ hosts: [w.io], http: [{ route: [{ destination: { host: a }, weight: 0 }, { destination: { host: b }, weight: 0 }] }] }",
  ),
  vs(
    "regex",
    `{ hosts: [r.io], http: [{ match: [{ uri: { regex: "(?=a)" } }], route: [{ destination: { host: a } }] }] }`,
  ),
  istio(
    "ServiceEntry",
    "good",
    "{ hosts: [good.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }",
  ),
].join("\n---\n");

let result: CommandResult;

beforeAll(async () => {
  const proxy = join(folder, "proxy.yaml");
  writeFileSync(proxy, "type: sidecar\nip: 127.65.0.9\nmetadata: {INTERCEPTION_MODE: NONE}\n");
  const file = join(folder, "all.yaml");
  writeFileSync(file, YAML);
  result = await runCommand(xdsDumpCommand, ["--proxy", proxy, "-f", file], { home: folder });
});

test.each([
  ["Warning", "host: spec.http[0].route[0].destination.host", "there is no service"],
  ["Warning", "second: spec.hosts[0]", "is routed by VirtualService/default/host"],
  ["Warning", "subset: spec.http[0].route[0].destination.subset", 'subset "v9"'],
  ["Warning", "gateway: spec.gateways[0]", 'there is no Gateway "default/nowhere"'],
  ["Warning", "circle: spec.http[0].delegate", "there is no VirtualService/default/one"],
  ["Warning", "self: spec.http[0].delegate", "only one without hosts is a delegate"],
  ["", "one: spec.http[0].delegate", "cannot delegate further"],
  ["", "two: spec.http[0].delegate", "cannot delegate further"],
  ["", "weights: spec.http[0].route", "must not all be 0"],
  ["", "regex: spec.http[0].match[0].uri.regex", "must be an RE2 regular expression"],
])("`weft xds-dump` says %s %s: %s", (severity, place, words) => {
  const lines = result.stderr.split("\n").filter((line) => line.includes(`/default/${place}: `));
  const line = lines.find((one) => one.includes(words)) ?? result.stderr;
  expect(line).toMatch(/all\.yaml:\d+:\d+: VirtualService/);
  expect(line).toContain(words);
  expect(line.startsWith("Warning: ")).toBe(severity === "Warning");
});

test("`weft xds-dump` prints what is left, and ends with 1", () => {
  expect(result.exitCode).toBe(1);
  const { clusters } = JSON.parse(result.stdout) as { clusters: readonly { name: string }[] };
  expect(clusters.map(({ name }) => name)).toContain("outbound|80||good.io");
});
