import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { VARIANTS } from "./discovery-wire.ts";
import { bundleClients } from "./fleet.ts";
import {
  type CaseSample,
  type ControlPlaneCase,
  measureCase,
  type RunContext,
} from "./measure-case.ts";
import { SERVICE_FORMS } from "./mesh-objects.ts";
import { type ControlPlaneRow, caseRows, formatRows } from "./report.ts";
import { SERVER_NAMES, Server, type ServerName } from "./server.ts";

const RESULTS = fileURLToPath(new URL("../results/control-plane.json", import.meta.url));

const SERVICES_MAX = 2000;
const CLIENTS_MAX = 2000;

/** `npm run bench -- control-plane FLAGS`: weft's control plane beside istiod; see docs/performance.md. */
export async function runControlPlane(args: readonly string[]): Promise<void> {
  const { values: flags } = parseArgs({
    args: [...args],
    options: {
      services: { type: "string", default: "500" },
      clients: { type: "string", default: "100" },
      variants: { type: "string", default: VARIANTS.join(",") },
      servers: { type: "string", default: SERVER_NAMES.join(",") },
      form: { type: "string", default: "service-entry" },
      rounds: { type: "string" },
      writes: { type: "string" },
      processes: { type: "string", default: "2" },
      out: { type: "string", default: RESULTS },
      profiles: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const form = oneOf("--form", flags.form, SERVICE_FORMS);
  const cases = list(flags.services).flatMap((services) =>
    list(flags.clients).flatMap((clients) =>
      list(flags.variants).map(
        (variant): ControlPlaneCase => ({
          services: number("--services", services, SERVICES_MAX),
          clients: number("--clients", clients, CLIENTS_MAX),
          variant: oneOf("--variants", variant, VARIANTS),
          form,
        }),
      ),
    ),
  );
  const servers = list(flags.servers).map((name) => oneOf("--servers", name, SERVER_NAMES));
  const rounds = number("--rounds", flags.rounds ?? (flags.quick ? "1" : "3"), 100);
  const writes = number("--writes", flags.writes ?? (flags.quick ? "2" : "4"), 100);
  const processes = number("--processes", flags.processes, 16);
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const startMs = Date.now();
  const rows: ControlPlaneRow[] = [];
  try {
    const client = await bundleClients(folder);
    const context = { folder, client, processes, writes, profiles: flags.profiles };
    for (const one of cases) {
      const made = await runCase(one, servers.filter(isHere), rounds, context);
      process.stdout.write(`${formatRows(made)}\n\n`);
      rows.push(...made);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const [loadAverage = 0] = loadavg();
  const at = new Date(startMs).toISOString();
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  const result = { at, ...machine, loadAverage, rounds, writes, rows };
  mkdirSync(dirname(flags.out), { recursive: true });
  writeFileSync(flags.out, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`written to ${flags.out}\n`);
}

function isHere(name: ServerName): boolean {
  return Server.isHere(name);
}

async function runCase(
  one: ControlPlaneCase,
  servers: readonly ServerName[],
  rounds: number,
  context: RunContext,
): Promise<readonly ControlPlaneRow[]> {
  const samples = new Map<ServerName, CaseSample[]>(servers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, taken] of samples) {
      const [load = 0] = loadavg();
      const what = `${one.services} services, ${one.clients} clients, ${one.variant}, ${name}`;
      process.stderr.write(`${what} (load average ${load.toFixed(1)})\n`);
      try {
        taken.push(await measureCase(name, one, context));
      } catch (error) {
        process.stderr.write(`failed: ${what}: ${String(error)}\n`);
        process.exitCode = 1;
      }
    }
  }
  for (const [name, taken] of samples) if (taken.length === 0) samples.delete(name);
  return caseRows(one, samples);
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
