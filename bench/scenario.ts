import type { Traffic } from "./load.ts";
import type { PeerMode, Setup } from "./peers.ts";

/** What every scenario in front of an upstream has. */
interface Common {
  readonly name: string;
  readonly title: string;
  readonly setup: Setup;
  /** As what nginx and haproxy take part; not at all when absent. */
  readonly peers?: PeerMode;
  /** A name for several at once. */
  readonly group?: string;
  /** Runs only when it is named. */
  readonly onlyByName?: boolean;
}

/** CPU per request under closed-loop load. */
export interface LoadScenario extends Common {
  readonly kind: "load";
  readonly traffic: Traffic;
  /** Counts MiB instead of requests: so many in one. */
  readonly mebibytes?: number;
}

/**
 * What one thing more costs: CPU per request with it, less that without it. Both run in processes of
 * their own, so that what one learns of its requests does not help or hinder the other.
 */
export interface CostScenario extends Common {
  readonly kind: "cost";
  readonly without: Setup;
  readonly traffic: Traffic;
}

/** Latency at a fixed rate. */
export interface RateScenario extends Common {
  readonly kind: "rate";
  readonly rate: number;
  readonly connections: number;
}

/** Requests that memory is measured beside and after. */
export interface MemoryLoad {
  readonly requests: number;
  readonly traffic: Traffic;
}

/** Resident memory after a start and, perhaps, something more. */
export interface MemoryScenario extends Common {
  readonly kind: "memory";
  readonly idleConnections?: number;
  readonly load?: MemoryLoad;
}

/** What the processes of `weft up --demo` take together. */
export interface DemoScenario {
  readonly kind: "demo";
  readonly name: string;
  readonly title: string;
  readonly onlyByName?: boolean;
}

/** What choosing a host costs, and an update of one of many, inside of this process. */
export interface BalanceScenario {
  readonly kind: "balance";
  readonly name: string;
  readonly title: string;
  readonly onlyByName?: boolean;
}

/** Of proxies that run beside each other. */
export type ProxyScenario = LoadScenario | CostScenario | RateScenario | MemoryScenario;
export type Scenario = ProxyScenario | DemoScenario | BalanceScenario;
