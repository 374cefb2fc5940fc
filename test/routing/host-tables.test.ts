import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildGateway, hostsFor } from "../../src/model/gateway.ts";
import { compareHosts, intersectHosts, isWithin } from "../../src/model/host.ts";
import { findCases } from "../programs.ts";

const cases = findCases();

/** A table of a peer's own unit tests. */
interface HostTable {
  readonly func: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const overlap = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a);

/** What our functions make of a row, and what the table says; in the order of the tables. */
const COUNTERPARTS: Readonly<
  Record<string, (row: Readonly<Record<string, unknown>>) => readonly [got: unknown, want: unknown]>
> = {
  TestNameMatches: ({ a, b, out }) => [overlap(text(a), text(b)), out],
  TestNameSubsetOf: ({ a, b, out }) => [isWithin(text(a), text(b)), out],
  BenchmarkNameMatch: ({ a, z, matches }) => [overlap(text(a), text(z)), matches],
  // Ours come in the order of `compareHosts`, whatever the lists' own was.
  TestNamesIntersection: ({ a, b, intersection }) => [
    intersectHosts(list(a), list(b)),
    [...list(intersection)].sort(compareHosts),
  ],
  TestNamesForNamespace: ({ hosts, namespace, want }) => [
    serverHostsFor(list(hosts), text(namespace)),
    list(want),
  ],
  TestNamesSortOrder: (row) => [[...list(row["in"])].sort(compareHosts), row["want"]],
  TestMoreSpecific: ({ host1, host2, expected }) => [
    compareHosts(text(host1), text(host2)) <= 0,
    expected,
  ],
};

/** Tables of what weft does not have: nothing of it answers DNS. */
const WITHOUT_COUNTERPART = ["TestBuildAlternateHosts", "testDNS", "TestDNSTimeoutBehavior"];

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error(`no text: ${JSON.stringify(value)}`);
  return value;
}

/** An empty list is recorded as its type alone. */
function list(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

function serverHostsFor(hosts: readonly string[], namespace: string): readonly string[] {
  const port = { number: 80, name: "http", protocol: "HTTP" };
  const gateway = buildGateway({
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "any", namespace: "any" },
    spec: { servers: [{ port, hosts }] },
  });
  return gateway.servers.flatMap((server) => hostsFor(server, namespace));
}

describe.skipIf(cases === undefined)("Istio's tables of host names", () => {
  const lines =
    cases === undefined
      ? []
      : readFileSync(join(cases, "routing", "host-tables.jsonl"), "utf8")
          .trim()
          .split("\n");
  const tables = lines.map((line) => JSON.parse(line) as HostTable);

  test("all have a counterpart here, but those of DNS", () => {
    const names = [...Object.keys(COUNTERPARTS), ...WITHOUT_COUNTERPART];
    expect(tables.map(({ func }) => func)).toEqual(names);
  });

  const rows = tables.flatMap(({ func, rows: own }) => {
    const compare = COUNTERPARTS[func];
    return compare === undefined ? [] : own.map((row, at) => [func, at, compare, row] as const);
  });

  test.each(rows)("%s, row %i", (_, __, compare, row) => {
    const [got, want] = compare(row);
    expect(got).toEqual(want);
  });
});
