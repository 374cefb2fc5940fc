import type { Prng } from "../../base/prng.ts";
import type { HashingConfig, LbConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import { BoundedLoad } from "./bounded-load.ts";
import { HashRing } from "./hash-ring.ts";
import type { HashTable } from "./hash-table.ts";
import { type Hash64, HashCell, hashModulo } from "./hash64.ts";
import type { HostSet } from "./host-set.ts";
import { type HostShares, hostShares } from "./host-shares.ts";
import { MaglevTable } from "./maglev-table.ts";
import type { Picker } from "./picker.ts";
import { type PriorityState, placeDraw } from "./priority-load.ts";

/** The tables of one balancer by priority, which the next one takes over what it can from. */
export type HashTables = (HashRing | MaglevTable | undefined)[];

/** What a balancer that hashes needs from outside. */
interface HashDeps {
  readonly prng: Prng;
  /** Counts what it does. */
  readonly load: ClusterLoad;
  /** `undefined` where the next one has little in common with it. */
  readonly hashTables: HashTables | undefined;
}

interface HashedPriority {
  readonly hosts: readonly Host[];
  readonly table: HashTable;
  readonly isPanic: boolean;
}

/**
 * Chooses by the hash of a request, or at random where it has none: the priority by the hash too,
 * then a host by a ring or a Maglev table. As in Envoy, degraded hosts get nothing, and retries do
 * not change how priorities are weighed.
 */
export function createHashBalancer(
  config: LbConfig,
  hashing: HashingConfig,
  { sets, state, deps }: { sets: readonly HostSet[]; state: PriorityState; deps: HashDeps },
): Picker {
  const priorities = sets.map((set): HashedPriority => {
    const isPanic = state.isPanic[set.priority] === true;
    const input = hostShares(set, isPanic, config.locality.kind === "weighted");
    const table = createTable(config, hashing, { input, priority: set.priority, deps });
    return { hosts: input.hosts, table, isPanic };
  });
  const [only] = priorities.length === 1 ? priorities : [];
  const { prng, load } = deps;
  const drawn = new HashCell();
  return (context) => {
    const hash = context?.hash?.() ?? drawHash(prng, drawn);
    const chosen = only ?? priorities[placeDraw(state.load, hashModulo(hash, 100)).priority];
    if (chosen === undefined) return undefined;
    if (chosen.isPanic) load.panics++;
    const drawsMax = context?.hostDrawsMax ?? 0;
    for (let attempt = 0; ; attempt++) {
      const host = chosen.hosts[chosen.table.find(hash, attempt)];
      if (host === undefined || attempt >= drawsMax) return host;
      if (context?.rejectsHost(host) !== true) return host;
    }
  };
}

function createTable(
  { policy }: LbConfig,
  hashing: HashingConfig,
  { input, priority, deps }: { input: HostShares; priority: number; deps: HashDeps },
): HashTable {
  if (input.hosts.length === 0) return NO_TABLE;
  const { load, hashTables } = deps;
  const previous = hashTables?.[priority];
  let table: HashRing | MaglevTable;
  if (policy === "maglev") {
    table = new MaglevTable(input, hashing, previous instanceof MaglevTable ? previous : undefined);
    load.hashTable = { size: hashing.tableSize, min: table.entriesMin, max: table.entriesMax };
  } else {
    table = new HashRing(input, hashing, previous instanceof HashRing ? previous : undefined);
    load.hashTable = { size: table.size, min: table.hashesMin, max: table.hashesMax };
  }
  if (hashTables !== undefined) hashTables[priority] = table;
  const factor = hashing.balanceFactorPercent;
  return factor === 0 ? table : new BoundedLoad(table, input, factor);
}

const NO_TABLE: HashTable = { find: () => -1 };

function drawHash(prng: Prng, cell: HashCell): Hash64 {
  cell.high = Math.floor(prng.next() * 0x1_0000_0000);
  cell.low = Math.floor(prng.next() * 0x1_0000_0000);
  return cell;
}
