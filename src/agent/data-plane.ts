import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Logger } from "../telemetry/log.ts";
import type { AgentConfig } from "./agent-config.ts";

/** What every data plane runs with. */
export interface DataPlaneOptions {
  readonly config: AgentConfig;
  readonly bootstrapFile: string;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  /** Access logs to `/dev/stdout` and `/dev/stderr`. */
  readonly writeStream: (stream: "stdout" | "stderr", text: string) => void;
  /** Somebody asked the admin port to end the proxy. */
  readonly onQuit: () => void;
  /** The proxy has ended without being told to. */
  readonly onFailure: (reason: string) => void;
}

/** The proxy beside a workload, whichever it is: weft's in this process, or Envoy as a child. */
export interface DataPlane {
  /** Begins to run it on its bootstrap file; rejects when it cannot be started. */
  start(): Promise<void>;
  /** Whether it has its first configuration and serves it. */
  isReady(): Promise<boolean>;
  /** Takes connections only to tell them to go, until none is left or `drainMs` are over. */
  drain(drainMs: number): Promise<void>;
  /** Ends it now. */
  stop(): Promise<void>;
}
