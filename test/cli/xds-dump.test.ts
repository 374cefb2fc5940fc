import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { xdsDumpCommand } from "../../src/cli/xds-dump.ts";
import { type CommandResult, runCommand } from "./fake-api.ts";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), "weft-dump-"));
const PROXY = write(
  "proxy.yaml",
  "type: sidecar\nip: 127.65.0.9\nmetadata: {INTERCEPTION_MODE: NONE}\n",
);

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  ports: [{name: http, port: 80}]
`;

afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function run(args: readonly string[], stdin = ""): Promise<CommandResult> {
  return runCommand(xdsDumpCommand, args, { home: folder, stdin });
}

interface Dump {
  readonly listeners: readonly Record<string, unknown>[];
  readonly routes: readonly { readonly virtual_hosts: readonly { readonly name: string }[] }[];
  readonly clusters: readonly { readonly name: string }[];
  readonly endpoints: readonly unknown[];
}

test("`weft xds-dump` prints the resources of one proxy, sorted, with what is in an `Any`", async () => {
  const result = await run(["--proxy", PROXY, "-f", "-"], SERVICE);
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  const dump = JSON.parse(result.stdout) as Dump;
  expect(Object.keys(dump)).toEqual(["clusters", "endpoints", "listeners", "routes"]);
  const names = dump.clusters.map(({ name }) => name);
  // An object that names no namespace is of `default`.
  expect(names).toContain("outbound|80||echo.default.svc.cluster.local");
  expect(names).toEqual([...names].sort());
  expect(dump.listeners[0]).toMatchObject({
    name: "127.65.0.9_15002",
    filter_chains: [
      {
        filters: [
          {
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              rds: { route_config_name: "http_proxy" },
            },
          },
        ],
      },
    ],
  });
});

test("`weft xds-dump -o yaml` prints the same as YAML", async () => {
  const json = await run(["--proxy", PROXY, "-f", "-"], SERVICE);
  const yaml = await run(["--proxy", PROXY, "-f", "-", "-o", "yaml"], SERVICE);
  expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout));
});

test("`weft xds-dump` says what it refused with its line, and goes on with the rest", async () => {
  const bad = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec:
  hosts: [bad]
  htp: []
---
apiVersion: example.com/v1
kind: Mystery
metadata: {name: x}
---
${SERVICE}`;
  const file = write("bad.yaml", bad);
  const result = await run(["--proxy", PROXY, "-f", file]);
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toContain(
    `${file}:6:3: VirtualService/default/bad: spec.htp: unknown field`,
  );
  expect(result.stderr).toContain(`${file}:8:1: `);
  const dump = JSON.parse(result.stdout) as Dump;
  expect(dump.clusters.map(({ name }) => name)).toContain(
    "outbound|80||echo.default.svc.cluster.local",
  );
});

test("`weft xds-dump` says what an object asks for in vain, as a warning", async () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lost}
spec:
  hosts: [echo]
  http:
  - route: [{destination: {host: nobody}}]
---
${SERVICE}`;
  const file = write("lost.yaml", text);
  const result = await run(["--proxy", PROXY, "-f", file]);
  expect(result.exitCode).toBe(0);
  expect(result.stderr).toMatch(
    /^Warning: .*lost\.yaml:7:\d+: VirtualService\/default\/lost: spec\.http/,
  );
});

const MISUSE: readonly (readonly [what: string, proxy: string, message: RegExp])[] = [
  ["no map", "- 1\n", /is no map/],
  ["no type", "ip: 10.0.0.1\n", /type: is missing/],
  ["no address", "type: sidecar\n", /ip: is missing/],
  ["another type", "type: waypoint\nip: 10.0.0.1\n", /is sidecar or router, not "waypoint"/],
  ["no IP address", "type: sidecar\nip: here\n", /"here" is not an IP address/],
  ["a misspelt field", "type: sidecar\nip: 10.0.0.1\nlabel: {}\n", /did you mean "labels"/],
  [
    "labels of numbers",
    "type: sidecar\nip: 10.0.0.1\nlabels: {a: 1}\n",
    /labels: is not a map of text/,
  ],
  ["broken YAML", "type: [\n", /proxy-\d+\.yaml: /],
];

test.each(MISUSE.map((one, at) => [...one, at] as const))(
  "`weft xds-dump` refuses a proxy with %s",
  async (_, proxy, message, at) => {
    const result = await run(["--proxy", write(`proxy-${at}.yaml`, proxy), "-f", "-"], SERVICE);
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr).toMatch(message);
  },
);

test("`weft xds-dump --mesh-config` takes the settings of the mesh from a file", async () => {
  const file = write("mesh.yaml", "connectTimeout: 3s\nfoo: 1\ningressSelector: x\n");
  const result = await run(["--proxy", PROXY, "-f", "-", "--mesh-config", file], SERVICE);
  expect(result.exitCode).toBe(0);
  expect(result.stderr).toContain(`Warning: ${file}:2:1: foo: `);
  // What the mesh says of it is said of the file, and once.
  expect(result.stderr).not.toContain("data[mesh]");
  expect(result.stderr.match(/foo:/g)).toHaveLength(1);
  const dump = JSON.parse(result.stdout) as Dump;
  expect(dump.clusters).toContainEqual(
    expect.objectContaining({
      name: "outbound|80||echo.default.svc.cluster.local",
      connect_timeout: "3s",
    }),
  );
});

test("`weft xds-dump --mesh-config` refuses what is no MeshConfig", async () => {
  const bad = write("bad-mesh.yaml", "connectTimeout: soon\n");
  const refused = await run(["--proxy", PROXY, "-f", "-", "--mesh-config", bad], SERVICE);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain(`${bad}:1:1: connectTimeout: `);
  const map = write("map.yaml", "apiVersion: v1\nkind: ConfigMap\n");
  const misused = await run(["--proxy", PROXY, "-f", "-", "--mesh-config", map], SERVICE);
  expect(misused).toMatchObject({ exitCode: 2, stdout: "" });
});

test("`weft xds-dump` wants to know for whom and from where", async () => {
  expect((await run(["-f", "-"], SERVICE)).stderr).toContain("--proxy FILE");
  expect((await run(["--proxy", PROXY])).stderr).toContain("-f FILE");
  const both = await run(["--proxy", "-", "-f", "-"], SERVICE);
  expect(both).toMatchObject({ exitCode: 2 });
});

test("the program prints what the command prints", async () => {
  const file = write("service.yaml", SERVICE);
  const stdout = execFileSync(
    join(repository, "bin", "weft"),
    ["xds-dump", "--proxy", PROXY, "-f", file],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 },
  );
  expect(stdout).toBe((await run(["--proxy", PROXY, "-f", file])).stdout);
});
