import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { listenerOf, socketAddress, staticCluster, tcpListener } from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import { Twins } from "./twins.ts";

const FORMAT = [
  "%RESPONSE_CODE%",
  "%RESPONSE_FLAGS%",
  "%RESPONSE_CODE_DETAILS%",
  "%CONNECTION_TERMINATION_DETAILS%",
  "%BYTES_RECEIVED%",
  "%BYTES_SENT%",
  "%PROTOCOL%",
  "%UPSTREAM_CLUSTER%",
  "%UPSTREAM_HOST%",
  "%REQUESTED_SERVER_NAME%",
  "%ROUTE_NAME%",
  "%ACCESS_LOG_TYPE%",
  "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
  "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
].join(" ");

function log(path: string): object {
  const typedConfig = {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path,
    log_format: { text_format_source: { inline_string: `${FORMAT}\n` } },
  };
  return {
    name: "envoy.access_loggers.file",
    filter: { response_flag_filter: { flags: ["NR"] } },
    typed_config: typedConfig,
  };
}

let twins: Twins;

beforeAll(async () => {
  twins = await Twins.start(["never", "always"], ({ ports, adminPort, logPath }) => {
    const { filter_chains: chains } = tcpListener("x", 0, { cluster: "up" }) as {
      readonly filter_chains: readonly [{ readonly filters: readonly object[] }];
    };
    const [{ filters }] = chains;
    const never = { filter_chain_match: { destination_port: 1 }, filters };
    return {
      node: { id: "test", cluster: "test" },
      admin: { address: socketAddress(adminPort) },
      static_resources: {
        listeners: [
          {
            ...listenerOf("never", ports["never"] ?? 0, filters),
            filter_chains: [never],
            access_log: [log(logPath)],
          },
          listenerOf("always", ports["always"] ?? 0, filters, { access_log: [log(logPath)] }),
        ],
        clusters: [staticCluster("up", [9])],
      },
    };
  });
});

afterAll(() => twins.stop());

describe("the log of a listener", () => {
  test("has those that no filter chain is for, and no others", async () => {
    const logs: string[][] = [];
    for (const { ports, logPath } of twins.all) {
      for (const name of ["always", "never"]) {
        const socket = connect({ host: "127.0.0.1", port: ports[name] ?? 0 });
        let isOver = false;
        socket.on("error", () => undefined);
        socket.on("close", () => {
          isOver = true;
        });
        await until(() => isOver, "the connection to end");
        await destroy(socket);
      }
      const lines = await until(() => {
        const all = readFileSync(logPath, "utf8").split("\n").filter(Boolean);
        return all.length > 0 ? all : undefined;
      }, "the log");
      logs.push(lines);
    }
    const [ours, theirs = ours] = logs;
    expect(ours).toEqual([
      "0 NR filter_chain_not_found - 0 0 - - - - - NotSet 127.0.0.1 127.0.0.1",
    ]);
    expect(theirs).toEqual(ours);
  });
});
