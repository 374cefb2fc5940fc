import type { Logger } from "../telemetry/log.ts";
import { DebugServer, type DebugServerOptions } from "./debug-server.ts";
import { ListenError } from "./listen-error.ts";

/** An address that the pages are served on. */
export interface PageAddress {
  readonly listener: "http" | "monitoring";
  /** `host:port`. */
  readonly addr: string;
  /** Whether to go on without it when another program has it. */
  readonly isOptional?: boolean;
}

/** The same pages on several addresses, as istiod has them on 8080 and 15014. */
export class DebugServers {
  readonly #options: DebugServerOptions & { readonly log: Logger };
  readonly #servers = new Map<PageAddress["listener"], DebugServer>();

  constructor(options: DebugServerOptions & { readonly log: Logger }) {
    this.#options = options;
  }

  /** The port of a listener; 0 where it is not bound. */
  portOf(listener: PageAddress["listener"]): number {
    return this.#servers.get(listener)?.port ?? 0;
  }

  /** Binds all; rejects with a `ListenError` when one that is not optional cannot be bound. */
  async start(addresses: readonly PageAddress[]): Promise<void> {
    for (const { listener, addr, isOptional } of addresses) {
      const server = new DebugServer(this.#options);
      try {
        await server.start(addr);
        this.#servers.set(listener, server);
      } catch (cause) {
        const error = new ListenError(listener, addr, cause);
        if (isOptional !== true) throw error;
        const wayOut = `choose another with --${listener}-addr`;
        this.#options.log.warn(`${error.message}; going on without it, ${wayOut}`);
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
  }
}
