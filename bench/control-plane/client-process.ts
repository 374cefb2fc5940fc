/** A process of simulated sidecars: told by its parent over the channel of `fork`. */
import { type ClientCommand, type ClientReport, machineMs, type Span } from "./client-messages.ts";
import { SidecarClient } from "./sidecar-client.ts";

let clients: SidecarClient[] = [];
let beganMs = 0;
let readyMs: number[] = [];
let retries = 0;
let turn = 0;
let markMs: number[] = [];

function report(message: ClientReport): void {
  process.send?.(message);
}

function spanOf(times: readonly number[]): Span {
  return { firstMs: Math.min(...times), lastMs: Math.max(...times) };
}

function connect({ port, variant, from, count }: ClientCommand & { do: "connect" }): void {
  beganMs = machineMs();
  readyMs = [];
  clients = Array.from({ length: count }, (_, at) => {
    return new SidecarClient({
      port,
      variant,
      index: from + at,
      onReady: () => {
        readyMs.push(machineMs());
        if (readyMs.length === count) report({ is: "ready", beganMs, span: spanOf(readyMs) });
      },
      onMark: () => {
        markMs.push(machineMs());
        if (markMs.length === count) report({ is: "arrived", turn, span: spanOf(markMs) });
      },
      onRetry: () => (retries += 1),
      onFailed: (reason) => report({ is: "failed", reason: `client ${from + at}: ${reason}` }),
    });
  });
}

process.on("message", (command: ClientCommand) => {
  switch (command.do) {
    case "connect":
      connect(command);
      return;
    case "await":
      ({ turn } = command);
      markMs = [];
      for (const client of clients) client.await(command.mark);
      report({ is: "awaiting", turn });
      return;
    case "tally": {
      const { user, system } = process.cpuUsage();
      const sum = (of: (client: SidecarClient) => number): number =>
        clients.reduce((total, client) => total + of(client), 0);
      const tally = {
        bytes: sum(({ bytesReceived }) => bytesReceived),
        responses: sum(({ responses }) => responses),
        retries,
        cpuMicros: user + system,
      };
      report({ is: "tally", tally });
    }
  }
});
// Without its parent it has no business.
process.on("disconnect", () => process.exit(0));
report({ is: "started" });
