import { until } from "../controlplane/until.ts";
import type { PilotMesh } from "./pilot-mesh.ts";
import { ServedLoad } from "./served.ts";

/** Of each plane. */
const PER_SECOND = 200;

/** How many requests "a while" is, through each plane. */
const REQUESTS_AWHILE = 40;

/** Waits until the load has sent for a while, through every plane. */
export type Awhile = () => Promise<void>;

/**
 * Runs something while requests go through every plane. What went wrong with them: failures, and
 * answers by older routes than an answer before.
 */
export async function runUnderLoad(
  mesh: PilotMesh,
  work: (awhile: Awhile) => Promise<void>,
): Promise<readonly string[]> {
  const loads = [...mesh.pods].map(
    ([plane, ip]) => [plane, new ServedLoad(ip, { perSecond: PER_SECOND })] as const,
  );
  const awhile = async (): Promise<void> => {
    const before = loads.map(([, load]) => load.requests);
    await until(
      () => loads.every(([, load], at) => load.requests >= (before[at] ?? 0) + REQUESTS_AWHILE),
      "requests",
    );
  };
  try {
    await awhile();
    await work(awhile);
    await awhile();
  } finally {
    await Promise.all(loads.map(([, load]) => load.stop()));
  }
  const reports = await Promise.all(
    loads.map(async ([plane, load]) => ({ plane, ...(await load.stop()) })),
  );
  return reports.flatMap(({ plane, failures, backwards }) => [
    ...failures.map((failure) => `${plane}: ${failure}`),
    ...backwards.map((text) => `${plane}: went back to ${text}`),
  ]);
}
