import { once } from "node:events";
import { connect } from "node:net";
import type { JsonValue } from "@bufbuild/protobuf";
import { headerOf, MessageReader } from "../proxy/wire-message.ts";
import type { RouteQuery, RouteTableCase } from "./route-table-cases.ts";

/** One listener for each table. */
export function bootstrapOf(
  cases: readonly RouteTableCase[],
  adminPort: number | undefined,
  ports: readonly number[],
): object {
  const address = (port: number): JsonValue => ({
    socket_address: { address: "127.0.0.1", port_value: port },
  });
  return {
    ...(adminPort === undefined ? {} : { admin: { address: address(adminPort) } }),
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: { always: 100, never: { numerator: 5, denominator: "HUNDRED" } },
        },
        { name: "over it", static_layer: { never: { numerator: 0 } } },
      ],
    },
    static_resources: {
      listeners: cases.map(({ table }, at) => ({
        name: `table-${at}`,
        address: address(ports[at] ?? 0),
        filter_chains: [
          {
            filters: [
              {
                name: "http",
                typed_config: {
                  "@type":
                    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                  stat_prefix: "http",
                  route_config: table,
                  http_filters: [
                    {
                      name: "router",
                      typed_config: {
                        "@type":
                          "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                      },
                    },
                  ],
                },
              },
            ],
          },
        ],
      })),
    },
  };
}

function requestText({ method, path, authority, headers }: RouteQuery): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const body = method === "GET" ? "" : "content-length: 0\r\n";
  return `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n${lines}${body}\r\n`;
}

/** How long an answer may take. */
const ANSWER_MS_MAX = 5000;

/**
 * Asks one request after the other over one connection (pipelined, Envoy stops answering), and says
 * status, place and body of each answer.
 */
export async function askInTurn(
  port: number,
  queries: readonly RouteQuery[],
): Promise<readonly string[]> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  const reader = new MessageReader("response", []);
  // Whoever closes the connection refused the last request.
  const closed = new AbortController();
  socket.on("close", () => closed.abort());
  socket.on("data", (chunk: Buffer) => reader.push(chunk.toString("latin1")));
  try {
    for (const [at, query] of queries.entries()) {
      socket.write(requestText(query), "latin1");
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
      while (reader.messages.length <= at) {
        await once(socket, "data", { signal }).catch((cause: unknown) => {
          throw new Error(`no answer to ${JSON.stringify(query)}, number ${at}`, { cause });
        });
      }
    }
  } finally {
    socket.destroy();
  }
  return reader.messages.map((message) => {
    const location = headerOf(message, "location") ?? "";
    return `${message.line.split(" ")[1] ?? ""} ${location} ${message.body}`;
  });
}
