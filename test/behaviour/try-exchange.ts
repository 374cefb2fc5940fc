import { countTolerance, type Exchange } from "./behaviour-case.ts";
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import type { Answer } from "./mesh-client.ts";

const PARALLEL = 8;

/** Sends what an exchange says; everything that came back otherwise, as sentences. */
export async function tryExchange(
  mesh: BehaviourMesh,
  exchange: Exchange,
): Promise<readonly string[]> {
  const { from = "client", request, headers = {}, expect: wanted } = exchange;
  const about = `${from}: ${request} ${JSON.stringify(headers)}`;
  const problems =
    "shares" in wanted
      ? compareShares(await sendMany(mesh, exchange, wanted.requests), wanted)
      : await sendOne(mesh, exchange, wanted);
  return problems.map((problem) => `${about}: ${problem}`);
}

async function sendOne(
  mesh: BehaviourMesh,
  { from = "client", request, headers = {} }: Exchange,
  wanted: OneAnswer,
): Promise<readonly string[]> {
  const { pathname } = new URL(request.slice(request.indexOf(" ") + 1));
  const before = wanted.tries === undefined ? 0 : await mesh.countTries(pathname);
  const startMs = performance.now();
  const answer = await mesh.send(from, request, headers);
  const tookMs = performance.now() - startMs;
  const problems = [...compareAnswer(answer, wanted)];
  const [leastMs, mostMs] = wanted.takesMs ?? [0, Number.POSITIVE_INFINITY];
  if (tookMs < leastMs || tookMs > mostMs) {
    problems.push(`took ${Math.round(tookMs)} ms, not ${leastMs} to ${mostMs}`);
  }
  if (wanted.tries !== undefined) {
    const tries = (await mesh.countTries(pathname)) - before;
    if (tries !== wanted.tries) problems.push(`${tries} tries, not ${wanted.tries}`);
  }
  return problems;
}

type Shares = Extract<Exchange["expect"], { readonly shares: object }>;
type OneAnswer = Exclude<Exchange["expect"], Shares>;

function compareShares(
  counts: ReadonlyMap<string, number>,
  { shares, requests }: Shares,
): readonly string[] {
  const problems: string[] = [];
  for (const [by, count] of counts) {
    if (!(by in shares)) problems.push(`${count} of ${requests} answered by ${by}`);
  }
  for (const [by, share] of Object.entries(shares)) {
    const count = counts.get(by) ?? 0;
    const tolerance = countTolerance(requests, share);
    if (Math.abs(count - requests * share) > tolerance) {
      const mean = Math.round(requests * share);
      problems.push(
        `${by} answered ${count} of ${requests}, not ${mean} ± ${Math.floor(tolerance)}`,
      );
    }
  }
  return problems;
}

function compareAnswer(
  { status, echo, text, headers, error }: Answer,
  wanted: OneAnswer,
): readonly string[] {
  const problems: string[] = [];
  if (status !== wanted.status) {
    problems.push(`status ${status}, not ${wanted.status}: ${error ?? text}`);
  }
  if (wanted.by !== undefined && echo?.by !== wanted.by) {
    problems.push(`answered by ${echo?.by}, not ${wanted.by}`);
  }
  if (wanted.sawPath !== undefined && echo?.path !== wanted.sawPath) {
    problems.push(`the path that arrived is ${echo?.path}, not ${wanted.sawPath}`);
  }
  for (const [name, value] of Object.entries(wanted.sawHeaders ?? {})) {
    const seen = echo?.headers[name] ?? null;
    if (seen !== value) problems.push(`the header ${name} that arrived is ${String(seen)}`);
  }
  for (const [name, value] of Object.entries(wanted.gotHeaders ?? {})) {
    const got = headers[name] ?? null;
    if (got !== value) problems.push(`the header ${name} of the answer is ${String(got)}`);
  }
  return problems;
}

/** How often each workload answered; answers that are not 200 count under their status. */
async function sendMany(
  mesh: BehaviourMesh,
  { from = "client", request, headers = {} }: Exchange,
  requests: number,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const note = ({ status, echo, error }: Answer): void => {
    const by = status === 200 ? (echo?.by ?? "nobody") : `${status} ${error ?? ""}`;
    counts.set(by, (counts.get(by) ?? 0) + 1);
  };
  let left = requests;
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (left > 0) {
        left -= 1;
        note(await mesh.send(from, request, headers));
      }
    }),
  );
  return counts;
}
