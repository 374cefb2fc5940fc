import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";

const LINE =
  "%ACCESS_LOG_TYPE% %REQ(:path)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS% " +
  "%ROUTE_NAME% %UPSTREAM_CLUSTER% %BYTES_SENT%\n";

const OPTIONS = {
  access_log_options: {
    flush_access_log_on_new_request: true,
    flush_log_on_tunnel_successfully_established: true,
    access_log_flush_interval: "0.05s",
  },
};

function fileLog(path: string): object {
  return {
    name: "file",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path,
      log_format: { text_format_source: { inline_string: LINE } },
    },
  };
}

describe("moments of access logs", () => {
  const planes = new BothPlanes<"http">();
  const folder = mkdtempSync(join(tmpdir(), "weft-moments-"));
  const files: string[] = [];
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      const end = (): void => void response.end("hello");
      if (request.url === "/slow") setTimeout(end, 400);
      else end();
    });
    upstream.on("upgrade", (_request, socket) => {
      socket.on("error", () => undefined);
      socket.end(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nbye",
      );
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    await planes.start(["http"], (ports) => {
      const file = join(folder, String(ports.http));
      files.push(file);
      const rbac = filter("http.rbac.v3.RBAC", {
        rules: {
          action: "DENY",
          policies: {
            p: {
              permissions: [{ header: { name: "x-deny", present_match: true } }],
              principals: [{ any: true }],
            },
          },
        },
      });
      const routes = [
        { match: { prefix: "/own" }, direct_response: { status: 404 } },
        { name: "rt", match: { prefix: "/" }, route: { cluster: "up", timeout: "5s" } },
      ];
      return {
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            httpListener("http", ports.http, {
              route_config: routeTable(routes),
              access_log: [fileLog(file)],
              http_filters: [rbac, filter("http.router.v3.Router", {})],
              upgrade_configs: [{ upgrade_type: "x" }],
              ...OPTIONS,
            }),
          ],
          clusters: [staticCluster("up", [port])],
        },
      };
    });
    const heads = [
      "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nX-Deny: 1\r\nConnection: close\r\n\r\n",
      "GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "BAD\r\n\r\n",
    ];
    await planes.each(async ({ ports }) => {
      for (const send of heads) await converse({ to: { port: ports.http }, send });
    });
    for (const file of files) {
      await until(() => readLines(file).some((line) => line.includes("400")), "the last entry");
    }
  });

  afterAll(async () => {
    await planes.stop();
    rmSync(folder, { recursive: true });
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
  });

  const readLines = (file: string): string[] => readFileSync(file, "utf8").trimEnd().split("\n");

  test("are Envoy's: a request's head, a tunnel, the end", () => {
    const [ours, theirs = ours] = files.map((file) =>
      readLines(file).filter((line) => !line.startsWith("DownstreamPeriodic")),
    );
    expect(ours).toEqual(theirs);
    expect(ours?.length).toBe(14);
  });

  test("come at intervals while a request lasts", () => {
    const [ours = [], theirs = ours] = files.map((file) =>
      readLines(file).filter((line) => line.startsWith("DownstreamPeriodic /slow")),
    );
    expect(ours.length).toBeGreaterThan(2);
    expect(new Set(ours)).toEqual(new Set(theirs));
  });
});

test("old and new options are not taken together", () => {
  const manager = { route_config: routeTable([]), flush_access_log_on_new_request: true };
  const parsed = parseBootstrap(
    JSON.stringify({
      static_resources: { listeners: [httpListener("l", 1, { ...manager, ...OPTIONS })] },
    }),
  );
  expect(parsed.ok ? "" : parsed.issues[0]?.message).toContain("Only one of access_log_options");
});
