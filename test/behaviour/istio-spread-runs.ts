/** Istio's tables of how many answers each destination gives. */
import { until } from "../controlplane/until.ts";
import { countTolerance } from "./behaviour-case.ts";
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import { echoWorkloads } from "./echo-world.ts";
import { compareShares, ip, many, type Run } from "./istio-run-parts.ts";
import { text } from "./istio-tables.ts";

export const mirroring: Run = async (mesh, { rows }) => {
  const problems: string[] = [];
  for (const { name, percentage, absent } of rows) {
    const share = Number(percentage) / 100;
    const percent = absent === true ? "" : `, mirrorPercentage: { value: ${Number(percentage)} }`;
    await mesh.configure(`
{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: mirror }, spec: { hosts: [b], http: [{ route: [{ destination: { host: b } }], mirror: { host: d }${percent} }] } }
`);
    const answers = await many(mesh, `GET http://b/mirrored-${text(name)}`, 200);
    problems.push(...compareShares(answers, { b: 1 }).map((one) => `${text(name)}: ${one}`));
    const mean = 200 * share;
    const seen = await countSeen(
      mesh,
      `/mirrored-${text(name)}`,
      mean - countTolerance(200, share),
    );
    if (Math.abs(seen - mean) > countTolerance(200, share)) {
      problems.push(`${text(name)}: ${seen} of 200 mirrored, not about ${mean}`);
    }
  }
  return problems;
};

interface LocalityInput {
  readonly LocalitySetting?: string;
  readonly TrafficDistribution?: string;
  readonly Resolution: string;
  readonly Local?: unknown;
  readonly NearLocal?: unknown;
  readonly Remote?: unknown;
}

/** Which app a recorded address or name stands for; a literal stays what it is. */
function destinationOf(mesh: BehaviourMesh, recorded: unknown): string | undefined {
  if (recorded === undefined) return undefined;
  if (typeof recorded === "string") {
    // An address where nobody is, in the mesh's own block, in place of one of another network.
    return recorded.includes("10.10.10.10") ? `127.${mesh.block}.250.1` : recorded;
  }
  return ip(mesh, `${LETTERS[letterOf(recorded)] ?? ""}-v1`);
}

const LETTERS: Readonly<Record<string, string>> = { A: "b", B: "c", C: "d" };

function letterOf(recorded: unknown): string {
  return /dest([ABC])/.exec(JSON.stringify(recorded))?.[1] ?? "";
}

export const locality: Run = async (mesh, { rows }) => {
  const problems: string[] = [];
  for (const row of rows) {
    const input = row["input"] as LocalityInput;
    const places = [
      [input.Local, "region/zone/subzone"],
      [input.NearLocal, "nearregion/zone/subzone"],
      [input.Remote, "notregion/notzone/notsubzone"],
    ] as const;
    const endpoints = places.flatMap(([recorded, place]) => {
      const address = destinationOf(mesh, recorded);
      return address === undefined ? [] : [`{ address: ${address}, locality: ${place} }`];
    });
    const isFailover = text(row["name"]).startsWith("Failover");
    const distribution =
      input.TrafficDistribution === undefined
        ? ""
        : `, annotations: { networking.istio.io/traffic-distribution: ${input.TrafficDistribution} }`;
    const setting = (input.LocalitySetting ?? "").trim().replaceAll("\n", "\n          ");
    await mesh.configure(
      `
{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: locality${distribution} }, spec: { hosts: [locality.test], location: MESH_EXTERNAL, resolution: ${input.Resolution}, endpoints: [${endpoints.join(", ")}], ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 18080 }] } }
---
${
  input.LocalitySetting === undefined
    ? "{}"
    : `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: locality }
spec:
  host: locality.test
  trafficPolicy:
    outlierDetection: { interval: 1s, baseEjectionTime: 10m, maxEjectionPercent: 100, consecutive5xxErrors: 1, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 1 }
    loadBalancer:
      simple: ROUND_ROBIN
      localityLbSetting:
          ${setting}`
}
`.replace("---\n{}", ""),
    );
    problems.push(...mesh.rejections());
    // The first may go to where nobody is, until that is found out.
    if (isFailover) await many(mesh, "GET http://locality.test/", 10);
    const expected = row["expected"] as Record<string, { $expr: string }>;
    const shares =
      "$call" in expected
        ? { [LETTERS[letterOf(expected)] ?? ""]: 1 }
        : Object.fromEntries(
            Object.entries(expected).map(([key, { $expr }]) => [
              LETTERS[letterOf(key)] ?? "",
              Number(/\*\s*(\.\d+)/.exec($expr)?.[1]),
            ]),
          );
    const answers = await many(mesh, "GET http://locality.test/", 100);
    problems.push(...compareShares(answers, shares).map((one) => `${text(row["name"])}: ${one}`));
  }
  return problems;
};

/** How many requests the app `d` has got for a path, once they are as many as expected at least. */
async function countSeen(mesh: BehaviourMesh, path: string, atLeast: number): Promise<number> {
  const { appAddress } = echoWorkloads(mesh.block).find(({ app }) => app === "d") ?? {};
  let seen = 0;
  await until(async () => {
    const answer = await fetch(`http://${appAddress}:18080/seen${path}`);
    seen = Number(await answer.text());
    return seen >= atLeast;
  }, `${atLeast} mirrored requests`);
  return seen;
}
