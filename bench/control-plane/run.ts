import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compareControlPlane, saveControlPlane } from "./compare.ts";
import { VARIANTS } from "./discovery-wire.ts";
import { bundleClients } from "./fleet.ts";
import { type CaseSample, measureCase, type RunContext } from "./measure-case.ts";
import { SERVICE_FORMS, type ServiceForm } from "./mesh-objects.ts";
import { defaultPlan, type PlannedCase, referenceCases, wholePlan } from "./plan.ts";
import { type ControlPlaneRow, caseRows, formatRows, type Samples } from "./report.ts";
import { SERVER_NAMES, Server, type ServerName } from "./server.ts";

const RESULTS = fileURLToPath(new URL("../results/control-plane.json", import.meta.url));

const SERVICES_MAX = 2000;
const CLIENTS_MAX = 5000;
/** Runs of a comparison, and writes of each kind in one. */
const COMPARE_ROUNDS = "3";
const COMPARE_WRITES = "3";

const OPTIONS = {
  services: { type: "string" },
  clients: { type: "string" },
  variants: { type: "string" },
  servers: { type: "string", default: SERVER_NAMES.join(",") },
  form: { type: "string", default: "service-entry" },
  rounds: { type: "string" },
  writes: { type: "string" },
  processes: { type: "string", default: "2" },
  profiles: { type: "string" },
  out: { type: "string", default: RESULTS },
  quick: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  compare: { type: "boolean", default: false },
  "save-baseline": { type: "boolean", default: false },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/** `npm run bench -- control-plane FLAGS`: weft's control plane beside istiod; see docs/performance.md. */
export async function runControlPlane(args: readonly string[]): Promise<void> {
  const { values: flags } = parseArgs({ args: [...args], options: OPTIONS });
  const form = oneOf("--form", flags.form, SERVICE_FORMS);
  const plan = planOf(flags, form);
  const servers = list(flags.servers)
    .map((name) => oneOf("--servers", name, SERVER_NAMES))
    .filter((name) => Server.isHere(name) && canRead(name, form));
  const processes = number("--processes", flags.processes, 16);
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  try {
    const client = await bundleClients(folder);
    const context = { folder, client, processes, profiles: flags.profiles };
    const run = (planned: PlannedCase): Promise<Samples> => runCase(planned, servers, context);
    if (flags.compare || flags["save-baseline"]) {
      const cases = comparedCases(flags, form);
      if (flags["save-baseline"]) await saveControlPlane(cases, run);
      else if (!(await compareControlPlane(cases, run))) process.exitCode = 1;
    } else await reportAll(plan, run, flags.out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function reportAll(
  plan: readonly PlannedCase[],
  run: (planned: PlannedCase) => Promise<Samples>,
  out: string,
): Promise<void> {
  const at = new Date().toISOString();
  const [loadAverage = 0] = loadavg();
  const rows: ControlPlaneRow[] = [];
  for (const planned of plan) {
    const made = caseRows(planned.one, await run(planned));
    process.stdout.write(`${formatRows(made)}\n\n`);
    rows.push(...made);
  }
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify({ at, ...machine, loadAverage, rows }, undefined, 2)}\n`);
  process.stdout.write(`written to ${out}\n`);
}

/** The reference, which alone has a baseline. */
function comparedCases(flags: Flags, form: ServiceForm): readonly PlannedCase[] {
  const { services, clients, variants, all, quick } = flags;
  if ((services ?? clients ?? variants) !== undefined || all || quick || form !== "service-entry") {
    throw new Error(
      "the baseline is of one size: leave out --services, --clients, --variants, --form, --all and --quick",
    );
  }
  const rounds = number("--rounds", flags.rounds ?? COMPARE_ROUNDS, 100);
  const writes = number("--writes", flags.writes ?? COMPARE_WRITES, 100);
  return referenceCases(form).map((one) => ({ one, rounds, writes }));
}

function planOf(flags: Flags, form: ServiceForm): readonly PlannedCase[] {
  const { services, clients, variants } = flags;
  const isChosen = [services, clients, variants].some((value) => value !== undefined);
  if (isChosen && flags.all) {
    throw new Error("--all runs every size: leave out --services, --clients and --variants");
  }
  const change = ({ one, rounds, writes }: PlannedCase): PlannedCase => ({
    one,
    rounds: flags.rounds === undefined ? rounds : number("--rounds", flags.rounds, 100),
    writes: flags.writes === undefined ? writes : number("--writes", flags.writes, 100),
  });
  if (flags.all) return wholePlan(form).map(change);
  if (!isChosen) return defaultPlan(form, flags.quick).map(change);
  const [rounds, writes] = flags.quick ? [1, 2] : [3, 3];
  return list(services ?? "500").flatMap((service) =>
    list(clients ?? "100").flatMap((client) =>
      list(variants ?? VARIANTS.join(",")).map((variant) =>
        change({
          one: {
            services: number("--services", service, SERVICES_MAX),
            clients: number("--clients", client, CLIENTS_MAX),
            variant: oneOf("--variants", variant, VARIANTS),
            form,
          },
          rounds,
          writes,
        }),
      ),
    ),
  );
}

function canRead(name: ServerName, form: ServiceForm): boolean {
  if (name === "weft" || form === "service-entry") return true;
  process.stderr.write(`skipped: ${name}, which does not read Services from files\n`);
  return false;
}

async function runCase(
  { one, rounds, writes }: PlannedCase,
  servers: readonly ServerName[],
  context: Omit<RunContext, "writes">,
): Promise<Samples> {
  const samples = new Map<ServerName, CaseSample[]>(servers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, taken] of samples) {
      const [load = 0] = loadavg();
      const what = `${one.services} services, ${one.clients} clients, ${one.variant}, ${name}`;
      process.stderr.write(`${what} (load average ${load.toFixed(1)})\n`);
      try {
        taken.push(await measureCase(name, one, { ...context, writes }));
      } catch (error) {
        // It says nothing of the other runs.
        process.stderr.write(`failed: ${what}: ${String(error)}\n`);
        process.exitCode = 1;
      }
    }
  }
  for (const [name, taken] of samples) if (taken.length === 0) samples.delete(name);
  return samples;
}

function list(text: string): readonly string[] {
  return text.split(",").filter((part) => part !== "");
}

function oneOf<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new Error(`${flag} is one of ${known.join(", ")}, not "${text}"`);
}

function number(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= max) return value;
  throw new Error(`${flag} must be a whole number from 1 to ${max}, not "${text}"`);
}
