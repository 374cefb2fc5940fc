/** The control plane of a soak, as a process of its own: told by its parent over the channel of `fork`. */
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import type { ConfigEvent, StatusChange } from "../../src/source/source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MemorySource } from "../controlplane/memory-source.ts";

/** What the parent says. */
export type SoakCommand =
  | { readonly do: "apply"; readonly events: readonly ConfigEvent[] }
  | { readonly do: "collect" }
  | { readonly do: "stop" };

/** What it is told. */
export type SoakReport =
  | { readonly is: "serving"; readonly grpcPort: number; readonly httpPort: number }
  | { readonly is: "collected"; readonly memory: SoakMemory };

/** Of the process, in bytes, right after a collection: whoever asks later sees new garbage as well. */
export interface SoakMemory {
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

/** Takes status as an API would, and forgets it. */
class SoakSource extends MemorySource {
  async writeStatus(_change: StatusChange): Promise<void> {
    await nodeClock.sleep(1);
  }
}

function tell(report: SoakReport): void {
  process.send?.(report);
}

const source = new SoakSource("");
const controlPlane = new ControlPlane({
  source,
  grpcAddr: "127.0.0.1:0",
  httpAddr: "127.0.0.1:0",
  clock: nodeClock,
  prng: nodePrng,
  log: silentLogger,
});

async function collect(): Promise<void> {
  // What weak maps hold goes only after what they hang on has gone.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  tell({ is: "collected", memory: { heapUsed, external, rss } });
}

process.on("message", (command: SoakCommand) => {
  if (command.do === "apply") source.give([...command.events]);
  else if (command.do === "collect") void collect();
  else void controlPlane.stop().then(() => process.disconnect());
});
// A parent that is gone leaves nothing behind.
process.on("disconnect", () => process.exit());

await controlPlane.start();
const { grpc: grpcPort, http: httpPort } = controlPlane.ports;
tell({ is: "serving", grpcPort, httpPort });
