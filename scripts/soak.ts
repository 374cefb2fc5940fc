/**
 * Soaks a control plane: an hour's worth of changes (ten a second) as fast as it takes them, with
 * proxies that come, go, refuse, say nothing or do not read. Ends with 1 when something is above its
 * bound or grows. `npm run soak -- [--changes N] [--minutes N] [--services N] [--proxies N] [--seed N]`.
 * With `--proxy` a proxy in its place, under requests, connections and changes:
 * `[--minutes N] [--pause-ms N]`, where the latter is what one round of requests waits for the next.
 */
import { parseArgs } from "node:util";
import { type ProxySample, runProxySoak } from "../test/soak/proxy-soak.ts";
import { runSoak } from "../test/soak/soak.ts";
import { formatSamples, type SoakSample } from "../test/soak/soak-samples.ts";

const DEFAULTS = {
  changes: "36000",
  minutes: "20",
  services: "100",
  proxies: "30",
  seed: "1",
  "pause-ms": "20",
};

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [
        name,
        { type: "string", default: value } as const,
      ]),
    ),
    proxy: { type: "boolean", default: false } as const,
  },
});

function readNumber(name: keyof typeof DEFAULTS): number {
  const text = String((values as Readonly<Record<string, unknown>>)[name]);
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  process.stderr.write(`--${name} ${text}: give a number above 0\n`);
  return process.exit(2);
}

const endMs = performance.now() + readNumber("minutes") * 60_000;
const isOver = (): boolean => performance.now() > endMs;

async function soakProxy(): Promise<readonly string[]> {
  const columns: (keyof ProxySample)[] = [
    ...(["minutes", "requests", "changes", "heapMb", "externalMb", "residentMb"] as const),
    ...([
      "descriptors",
      "timers",
      "resources",
      "connections",
      "active",
      "stats",
      "faults",
    ] as const),
  ];
  const write = (cells: readonly (string | number)[]): void => {
    process.stdout.write(`${cells.map((cell) => String(cell).padStart(12)).join("")}\n`);
  };
  write(columns);
  const { problems, outcomes } = await runProxySoak({
    isOver,
    sampleMs: (readNumber("minutes") * 60_000) / 13,
    pauseMs: readNumber("pause-ms"),
    onSample: (sample) => write(columns.map((name) => Math.round(sample[name] * 10) / 10)),
  });
  process.stdout.write(`${JSON.stringify(outcomes)}\n`);
  return problems;
}

async function soakControlPlane(): Promise<readonly string[]> {
  const seen: SoakSample[] = [];
  const { problems } = await runSoak({
    seed: readNumber("seed"),
    changes: readNumber("changes"),
    isOver,
    services: readNumber("services"),
    proxies: readNumber("proxies"),
    samples: 11,
    onSample: (sample) => {
      seen.push(sample);
      const lines = formatSamples(seen).split("\n");
      process.stdout.write(`${(seen.length === 1 ? lines : lines.slice(-1)).join("\n")}\n`);
    },
  });
  return problems;
}

const problems = await (values["proxy"] === true ? soakProxy() : soakControlPlane());
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.stdout.write(problems.length === 0 ? "nothing grew\n" : `${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
