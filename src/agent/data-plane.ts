/** The proxy beside a workload, whichever it is: weft's in this process, or Envoy as a child. */
export interface DataPlane {
  /** Begins to run it on its bootstrap file; a proxy that crashes is started again. */
  start(): Promise<void>;
  /** Whether it has its first configuration and serves it. */
  isReady(): Promise<boolean>;
  /** Takes connections only to tell them to go, until none is left or `drainMs` are over. */
  drain(drainMs: number): Promise<void>;
  /** Ends it now. */
  stop(): Promise<void>;
}
