/** What the runs of tables share. */
import { countTolerance } from "./behaviour-case.ts";
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import { echoWorkloads } from "./echo-world.ts";
import type { Table } from "./istio-tables.ts";
import type { Answer } from "./mesh-client.ts";

export type Run = (mesh: BehaviourMesh, table: Table) => Promise<readonly string[]>;

export const FQDN = "default.svc.cluster.local";

export function ip(mesh: BehaviourMesh, name: string): string {
  const found = echoWorkloads(mesh.block).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no workload ${name}`);
  return found.podIp;
}

export async function many(
  mesh: BehaviourMesh,
  line: string,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let sent = 0; sent < count; sent++) answers.push(await mesh.send("client", line, headers));
  return answers;
}

/** Compares how many answers each app gave with its share, within five standard deviations. */
export function compareShares(
  answers: readonly Answer[],
  shares: Readonly<Record<string, number>>,
): readonly string[] {
  const counts = new Map<string, number>();
  for (const { echo, status } of answers) {
    const by = echo === undefined ? `status ${status}` : (echo.by.split("-")[0] ?? "");
    counts.set(by, (counts.get(by) ?? 0) + 1);
  }
  const problems = [...counts.keys()]
    .filter((by) => !(by in shares))
    .map((by) => `${counts.get(by)} answers by ${by}`);
  for (const [by, share] of Object.entries(shares)) {
    const count = counts.get(by) ?? 0;
    const mean = answers.length * share;
    if (Math.abs(count - mean) > countTolerance(answers.length, share)) {
      problems.push(`${by} answered ${count} of ${answers.length}, not about ${mean}`);
    }
  }
  return problems;
}

export function rule(host: string, policy: string): string {
  return `{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: { name: ${host}-policy }, spec: { host: ${host}, trafficPolicy: ${policy} } }`;
}
