import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(apiVersion: string, kind: string, spec: object): readonly string[] {
  const result = decodeObject({ apiVersion, kind, metadata: { name: "a", namespace: "b" }, spec });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

function starting(starts: readonly string[]): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start));
}

const selector = { matchLabels: { app: "a" } };

describe("PeerAuthentication", () => {
  it.each<[object, readonly string[]]>([
    [{}, []],
    [{ mtls: { mode: "STRICT" } }, []],
    [{ mtls: { mode: "strict" } }, ["error spec.mtls.mode: must be one of UNSET"]],
    [{ selector, portLevelMtls: { "80": { mode: "DISABLE" } } }, []],
    [{ portLevelMtls: { "80": {} } }, ["error spec.portLevelMtls: needs a spec.selector"]],
    [{ selector, portLevelMtls: {} }, ["error spec.portLevelMtls: must not be empty"]],
    [
      { selector, portLevelMtls: { "0": {}, "65536": {}, a: {} } },
      ["0", "65536", "a"].map(
        (port) => `error spec.portLevelMtls[${port}]: must be the number of a port`,
      ),
    ],
    [{ selector: {} }, ["warning spec.selector.matchLabels: selects every workload"]],
    [
      { selector: { matchLabels: { "a*": "b" } } },
      ["error spec.selector.matchLabels[a*]: wildcards"],
    ],
    [{ selector: { matchLabels: { "": "b" } } }, ["error spec.selector.matchLabels: the key of"]],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf("security.istio.io/v1", "PeerAuthentication", spec)).toEqual(
      starting(expected),
    );
  });
});

describe("ProxyConfig", () => {
  it.each<[object, readonly string[]]>([
    [
      { concurrency: 0, selector, image: { imageType: "debug" } },
      ["warning spec.concurrency: has no effect", "warning spec.image: has no effect"],
    ],
    [{ concurrency: 1, selector }, []],
    [
      { concurrency: -1 },
      ["error spec.concurrency: must be between 0", "warning spec.concurrency: has no"],
    ],
    [{ selector: { matchLabels: { a: "*" } } }, ["error spec.selector.matchLabels[a]: wildcards"]],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf("networking.istio.io/v1beta1", "ProxyConfig", spec)).toEqual(
      starting(expected),
    );
  });
});
