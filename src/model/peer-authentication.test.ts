import { describe, expect, test } from "vitest";
import type { PeerAuthentication as PeerAuthenticationObject } from "../config/peer-authentication.ts";
import { compareAge } from "./origin.ts";
import {
  buildPeerAuthentication,
  modeOfPort,
  mutualTlsOf,
  peerAuthenticationIssues,
  selectionIssues,
} from "./peer-authentication.ts";

const ROOT = "istio-system";
const APP = { namespace: "shop", labels: { app: "cart", version: "v1" } };

/** `namespace/name second`, and what it says. */
function policy(where: string, spec: PeerAuthenticationObject["spec"]): PeerAuthenticationObject {
  const [namespace = "", name = "", second = "0"] = where.split(/[/ ]/);
  const creationTimestamp = `2026-01-01T00:00:0${second}Z`;
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name, namespace, creationTimestamp },
    ...(spec !== undefined && { spec }),
  };
}

type Mode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

const all = (mode: Mode) => ({ mtls: { mode } });
const cart = (mode: Mode | undefined, ports: Record<string, Mode> = {}) => ({
  selector: { matchLabels: { app: "cart" } },
  ...(mode !== undefined && { mtls: { mode } }),
  portLevelMtls: Object.fromEntries(
    Object.entries(ports).map(([port, said]) => [port, { mode: said }]),
  ),
});

function build(objects: readonly PeerAuthenticationObject[]) {
  return objects.toSorted(compareAge).map((object) => buildPeerAuthentication(object));
}

/** What holds for ports 80 and 90, and who says so. */
function outcome(objects: readonly PeerAuthenticationObject[], target = APP) {
  const found = mutualTlsOf(build(objects), target, ROOT);
  return [80, 90].map((port) => {
    const { mode, origin } = modeOfPort(found, port);
    return `${mode} ${origin?.key.name} ${origin?.path}`;
  });
}

const NOBODY = "undefined undefined undefined";

describe("mutualTlsOf()", () => {
  test.each([
    ["says nothing where nobody does", [], NOBODY, NOBODY],
    [
      "takes the mesh's where nobody is nearer",
      [policy("istio-system/mesh", all("STRICT"))],
      "STRICT mesh spec.mtls.mode",
      "STRICT mesh spec.mtls.mode",
    ],
    [
      "prefers the namespace's to the mesh's",
      [policy("istio-system/mesh", all("STRICT")), policy("shop/all", all("DISABLE"))],
      "DISABLE all spec.mtls.mode",
      "DISABLE all spec.mtls.mode",
    ],
    [
      "prefers the workload's to the namespace's",
      [policy("shop/all", all("DISABLE")), policy("shop/cart", cart("STRICT"))],
      "STRICT cart spec.mtls.mode",
      "STRICT cart spec.mtls.mode",
    ],
    [
      "prefers the port's to the workload's",
      [policy("shop/cart", cart("STRICT", { "90": "DISABLE" }))],
      "STRICT cart spec.mtls.mode",
      "DISABLE cart spec.portLevelMtls[90].mode",
    ],
    [
      "inherits what is UNSET, level by level",
      [
        policy("istio-system/mesh", all("STRICT")),
        policy("shop/all", all("UNSET")),
        policy("shop/cart", cart(undefined, { "90": "UNSET" })),
      ],
      "STRICT mesh spec.mtls.mode",
      "STRICT mesh spec.mtls.mode",
    ],
    [
      "takes a port's mode though nothing is said of the workload",
      [policy("shop/cart", cart(undefined, { "90": "STRICT" }))],
      NOBODY,
      "STRICT cart spec.portLevelMtls[90].mode",
    ],
    [
      "takes the oldest of several at one level",
      [
        policy("shop/b 2", all("DISABLE")),
        policy("shop/a 1", all("STRICT")),
        policy("shop/d 2", cart("DISABLE")),
        policy("shop/c 1", cart("PERMISSIVE")),
      ],
      "PERMISSIVE c spec.mtls.mode",
      "PERMISSIVE c spec.mtls.mode",
    ],
    [
      "has nothing to do with other namespaces and labels",
      [
        policy("other/all", all("STRICT")),
        policy("other/cart", cart("STRICT")),
        policy("shop/db", { ...all("STRICT"), selector: { matchLabels: { app: "db" } } }),
      ],
      NOBODY,
      NOBODY,
    ],
    [
      "does not let the root namespace select workloads",
      [policy("istio-system/cart", cart("STRICT"))],
      NOBODY,
      NOBODY,
    ],
    [
      "takes an empty selector for none",
      [policy("shop/all", { ...all("STRICT"), selector: { matchLabels: {} } })],
      "STRICT all spec.mtls.mode",
      "STRICT all spec.mtls.mode",
    ],
  ] as const)("%s", (_, objects, port80, port90) => {
    expect(outcome(objects)).toEqual([port80, port90]);
    expect(outcome(objects.toReversed())).toEqual([port80, port90]);
  });

  test("gives the same value while the policies that count are the same", () => {
    const counts = policy("shop/cart", cart("STRICT"));
    const before = mutualTlsOf(build([counts]), APP, ROOT);
    const after = mutualTlsOf(build([counts, policy("other/new", all("STRICT"))]), APP, ROOT);
    expect(after).toBe(before);
  });
});

test("peerAuthenticationIssues() names policies that have no effect on anybody", () => {
  const policies = build([
    policy("istio-system/mesh 1", all("STRICT")),
    policy("istio-system/late 2", all("DISABLE")),
    policy("istio-system/cart 3", cart("STRICT")),
    policy("shop/all 1", all("STRICT")),
    policy("shop/late 2", all("STRICT")),
  ]);
  const found = peerAuthenticationIssues(policies, ROOT).map(
    ({ object, issue }) => `${object.namespace}/${object.name} ${issue.path}: ${issue.message}`,
  );
  expect(found).toEqual([
    expect.stringMatching(/^istio-system\/late spec: has no effect: .*mesh.*older/),
    expect.stringMatching(/^shop\/late spec: has no effect: .*namespace shop too, and older/),
    expect.stringMatching(/^istio-system\/cart spec\.selector: has no effect: .*root namespace/),
  ]);
});

test("selectionIssues() names the younger of two that select a workload", () => {
  const policies = build([
    policy("shop/late 2", cart("DISABLE")),
    policy("shop/first 1", cart("STRICT")),
    policy("shop/db 1", { ...all("STRICT"), selector: { matchLabels: { app: "db" } } }),
  ]);
  expect(selectionIssues(policies, APP, ROOT)).toMatchObject([
    { object: { name: "late" }, issue: { path: "spec.selector", severity: "warning" } },
  ]);
});
