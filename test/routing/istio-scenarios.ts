import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { xdsDumpCommand } from "../../src/cli/xds-dump.ts";
import type { SnapshotJson } from "../../src/xds/resource-json.ts";
import { type CommandResult, runCommand } from "../cli/fake-api.ts";
import type { Call, CallMode, CallResult } from "./call.ts";

/** One line of the recorded simulations: objects, a proxy, and calls with what is to become of them. */
export interface IstioScenario {
  /** Unique. */
  readonly name: string;
  readonly proxy: RecordedProxy;
  /** YAML: Istio's objects, and Kubernetes'. */
  readonly config: string;
  readonly kubeConfig: string;
  readonly meshConfig?: Readonly<Record<string, unknown>>;
  readonly calls: readonly RecordedCall[];
}

interface RecordedProxy {
  readonly type: string;
  readonly id: string;
  readonly ips: readonly string[];
  readonly dnsDomain: string;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** One call; texts that are empty say nothing. */
export interface RecordedCall {
  readonly name: string;
  readonly call: {
    readonly address: string;
    readonly port: number;
    readonly path: string;
    readonly host: string;
    readonly headers: Readonly<Record<string, readonly string[]>> | null;
    readonly protocol: string;
    readonly tls: string;
    readonly alpn: string;
    readonly sni: string;
    readonly mode: string;
  };
  readonly want: Readonly<Record<WantedField, string>> & {
    readonly error?: string;
    readonly strict: boolean;
  };
}

const WANTED = [
  "listener",
  "filterChain",
  "routeConfig",
  "virtualHost",
  "route",
  "cluster",
] as const;
type WantedField = (typeof WANTED)[number];

/** Every scenario of the peer's own simulations. */
export function readScenarios(cases: string): readonly IstioScenario[] {
  const text = readFileSync(join(cases, "routing", "simulation.jsonl"), "utf8");
  const seen = new Map<string, number>();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const scenario = JSON.parse(line) as IstioScenario & { readonly test: string };
      const count = (seen.get(scenario.test) ?? 0) + 1;
      seen.set(scenario.test, count);
      return { ...scenario, name: count === 1 ? scenario.test : `${scenario.test} ${count}` };
    });
}

/** Writes what a scenario is made of into a folder; the arguments of `weft xds-dump` for it. */
export function writeScenario(scenario: IstioScenario, folder: string): readonly string[] {
  const { proxy, config, kubeConfig, meshConfig } = scenario;
  const objects = join(folder, "objects");
  mkdirSync(objects);
  writeFileSync(join(folder, "proxy.json"), JSON.stringify(proxyFileOf(proxy)));
  writeFileSync(join(objects, "istio.yaml"), withoutUnknown(config));
  writeFileSync(join(objects, "kubernetes.yaml"), withAddressType(kubeConfig));
  const args = ["--proxy", join(folder, "proxy.json"), "-f", objects];
  if (meshConfig === undefined) return args;
  writeFileSync(join(folder, "mesh.json"), JSON.stringify(withMode(meshConfig)));
  return [...args, "--mesh-config", join(folder, "mesh.json")];
}

/** A `tcp` rule has no name: Istio's own reader leaves out what it does not know. */
function withoutUnknown(yaml: string): string {
  return yaml.replaceAll(/( +tcp:\n +- )name: .*\n +/g, "$1");
}

/** The API server asks for it; the peer's tests have none. */
function withAddressType(yaml: string): string {
  return yaml.replaceAll("kind: EndpointSlice\n", "kind: EndpointSlice\naddressType: IPv4\n");
}

/** Protobuf's JSON leaves out the first value of an enumeration, which is not the default here. */
function withMode(meshConfig: NonNullable<IstioScenario["meshConfig"]>): object {
  const { outboundTrafficPolicy } = meshConfig;
  if (outboundTrafficPolicy === undefined) return meshConfig;
  const policy = { mode: "REGISTRY_ONLY", ...(outboundTrafficPolicy as object) };
  return { ...meshConfig, outboundTrafficPolicy: policy };
}

function proxyFileOf(proxy: RecordedProxy): Record<string, unknown> {
  const { type, id, ips, dnsDomain, labels, metadata } = proxy;
  return {
    type,
    ip: ips[0],
    id,
    dnsDomain,
    labels: labels ?? {},
    metadata: { ...metadata, INSTANCE_IPS: ips.join(",") },
  };
}

/** Runs `weft xds-dump` on a scenario; throws when it refuses anything. */
export async function dumpScenario(scenario: IstioScenario, folder: string): Promise<SnapshotJson> {
  const args = writeScenario(scenario, folder);
  const result: CommandResult = await runCommand(xdsDumpCommand, args, { home: folder });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as SnapshotJson;
}

/** A recorded call in our own form. */
export function callOf({ call }: RecordedCall): Call {
  const { address, port, path, host, headers, protocol, tls, alpn, sni, mode } = call;
  const lists = Object.entries(headers ?? {});
  return {
    port,
    headers: Object.fromEntries(lists.map(([name, values]) => [name, values.join(",")])),
    ...(protocol === "" ? {} : { protocol: protocol as NonNullable<Call["protocol"]> }),
    // Whoever says a server's name does so in a ClientHello.
    ...(tls === "" && sni !== "" ? { tls: "tls" } : {}),
    ...(tls === "" ? {} : { tls: tls as NonNullable<Call["tls"]> }),
    ...(mode === "" ? {} : { mode: mode as CallMode }),
    ...(address === "" ? {} : { address }),
    ...(path === "" ? {} : { path }),
    ...(host === "" ? {} : { host }),
    ...(alpn === "" ? {} : { alpn }),
    ...(sni === "" ? {} : { sni }),
  };
}

/** What a result has otherwise than a recording wants it; `undefined` for nothing. */
export function difference(
  got: CallResult,
  want: RecordedCall["want"],
): Record<string, unknown> | undefined {
  const wrong: Record<string, unknown> = {};
  if (got.error !== want.error) wrong["error"] = { got: got.error, want: want.error };
  for (const field of WANTED) {
    const wanted = want[field];
    if (wanted === "" && !want.strict) continue;
    const found = got[field] ?? "";
    if (found !== fullName(wanted)) wrong[field] = { got: found, want: wanted };
  }
  return Object.keys(wrong).length === 0 ? undefined : wrong;
}

/** The recording's objects have no domain: what is short there is whole in a mesh that has one. */
function fullName(name: string): string {
  return name.replace(/(\|[a-z0-9-]+\.default)$/, "$1.svc.cluster.local");
}
