import { machineMs } from "./client-messages.ts";
import type { Variant } from "./discovery-wire.ts";
import { Fleet } from "./fleet.ts";
import { type ServiceForm, WRITES, type WriteKind, writeOf } from "./mesh-objects.ts";
import { Server, type ServerName, WATCH_MS } from "./server.ts";

/** One size of a mesh, and how clients speak. */
export interface ControlPlaneCase {
  readonly services: number;
  readonly clients: number;
  readonly variant: Variant;
  readonly form: ServiceForm;
}

/** All clients get everything for the first time. */
export interface FirstSample {
  readonly ms: number;
  readonly cpuMs: number;
  readonly mib: number;
  readonly peakMiB: number;
  readonly afterMiB: number;
  /** CPU of the clients: when it comes near the time, they are what is measured. */
  readonly clientCpuMs: number;
  /** How often a client was turned away, by a limit of new streams, and came back. */
  readonly retries: number;
}

/** One object is written. */
export interface WriteSample {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly cpuMs: number;
  readonly kib: number;
}

/** What one run of one control plane gave. */
export interface CaseSample {
  readonly first: FirstSample;
  readonly writes: Readonly<Record<WriteKind, readonly WriteSample[]>>;
}

/** Where a case is run. */
export interface RunContext {
  readonly folder: string;
  /** The clients' program. */
  readonly client: string;
  readonly processes: number;
  /** Of each kind. */
  readonly writes: number;
  /** Where CPU profiles of weft go; absent: none are taken. */
  readonly profiles: string | undefined;
}

const BYTES_MIB = 1024 * 1024;

/** Starts a fresh control plane and fresh clients, and measures all of the case once. */
export async function measureCase(
  name: ServerName,
  one: ControlPlaneCase,
  context: RunContext,
): Promise<CaseSample> {
  const { services, form } = one;
  const { folder, profiles } = context;
  const server = await Server.start({
    name,
    services,
    form,
    folder,
    ...(profiles !== undefined && { profiles }),
  });
  try {
    const fleet = await Fleet.start(context.client, Math.min(context.processes, one.clients));
    try {
      const first = await measureFirst(server, fleet, one);
      const writes: Record<WriteKind, WriteSample[]> = {
        "virtual-service": [],
        endpoint: [],
        sidecar: [],
      };
      for (const kind of WRITES) {
        for (let turn = 1; turn <= context.writes; turn++) {
          writes[kind].push(await measureWrite(server, fleet, { kind, form, turn }));
        }
      }
      return { first, writes };
    } finally {
      await fleet.stop();
    }
  } finally {
    await server.stop();
  }
}

async function measureFirst(
  server: Server,
  fleet: Fleet,
  { clients, variant }: ControlPlaneCase,
): Promise<FirstSample> {
  const beforeMicros = server.cpuMicros();
  const { cpuMicros: clientsBefore } = await fleet.tally();
  const { firstMs, lastMs } = await fleet.connect({ port: server.port, variant, clients });
  const { cpuMicros: clientsAfter } = await fleet.tally();
  const { bytes, retries } = await fleet.settled();
  return {
    ms: lastMs - firstMs,
    cpuMs: (server.cpuMicros() - beforeMicros) / 1000,
    mib: bytes / BYTES_MIB,
    peakMiB: server.peakMiB(),
    afterMiB: server.residentMiB(),
    clientCpuMs: (clientsAfter - clientsBefore) / 1000,
    retries,
  };
}

let lastTurn = 0;

async function measureWrite(
  server: Server,
  fleet: Fleet,
  { kind, form, turn }: { kind: WriteKind; form: ServiceForm; turn: number },
): Promise<WriteSample> {
  const file = writeOf(kind, form, turn);
  const { bytes } = await fleet.tally();
  const { arrived } = await fleet.await(++lastTurn, file.mark);
  const beforeMicros = server.cpuMicros();
  const writtenMs = machineMs();
  server.write(file);
  const { firstMs, lastMs } = await arrived;
  const { bytes: bytesAfter } = await fleet.settled();
  const fromMs = writtenMs + WATCH_MS[server.name];
  return {
    firstMs: firstMs - fromMs,
    lastMs: lastMs - fromMs,
    cpuMs: (server.cpuMicros() - beforeMicros) / 1000,
    kib: (bytesAfter - bytes) / 1024,
  };
}
