import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { socketAddress } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";

/** What a test is told of one proxy before it is started. */
export interface PlaceOfPlane {
  readonly name: "weft" | "envoy";
  /** A folder for logs. */
  readonly folder: string;
  /** By the names that the test gave. */
  readonly ports: Readonly<Record<string, number>>;
}

/** One proxy that runs. */
export interface HealthPlane extends PlaceOfPlane {
  readonly adminPort: number;
  stop(): Promise<void>;
}

/** A proxy on a bootstrap without its admin port; started when it serves. */
export async function startPlane(
  name: "weft" | "envoy",
  portNames: readonly string[],
  resources: (place: PlaceOfPlane) => object,
): Promise<HealthPlane> {
  const folder = mkdtempSync(join(tmpdir(), "weft-health-"));
  const [adminPort = 0, ...free] = await freePorts(portNames.length + 1);
  const ports = Object.fromEntries(portNames.map((port, at) => [port, free[at] ?? 0]));
  const place = { name, folder, ports };
  const bootstrap = { admin: { address: socketAddress(adminPort) }, ...resources(place) };
  const plane = await start(name, bootstrap, adminPort);
  const stop = async (): Promise<void> => {
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...place, adminPort, stop };
}

async function start(
  name: "weft" | "envoy",
  bootstrap: object,
  adminPort: number,
): Promise<DataPlane> {
  const program = findProgram("envoy");
  if (name === "envoy" && program !== undefined) return startEnvoy(program, bootstrap, adminPort);
  const weft = await startWeft(bootstrap);
  await until(() => weft.proxy.state === "LIVE", "weft to be ready");
  return weft;
}

/** Does the same with weft and, where it is there, with Envoy, at the same time. */
export async function onBoth<T>(
  run: (name: "weft" | "envoy") => Promise<T>,
): Promise<{ readonly weft: T; readonly envoy: T }> {
  if (findProgram("envoy") === undefined) {
    const weft = await run("weft");
    return { weft, envoy: weft };
  }
  const [weft, envoy] = await Promise.all([run("weft"), run("envoy")]);
  return { weft, envoy };
}

/** All statistics whose names begin so, without that. */
export async function statsWith(
  { adminPort }: Pick<HealthPlane, "adminPort">,
  prefix: string,
): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats`);
  const lines = (await answer.text()).split("\n");
  const found = lines.flatMap((line) => {
    const [name = "", value = ""] = line.split(": ");
    return name.startsWith(prefix) ? [[name.slice(prefix.length), Number(value)] as const] : [];
  });
  return Object.fromEntries(found.sort(([one], [two]) => one.localeCompare(two)));
}

/** The flags of every host of a cluster, in the order of `/clusters`. */
export async function healthFlags(
  { adminPort }: Pick<HealthPlane, "adminPort">,
  cluster: string,
): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/clusters`);
  const lines = (await answer.text()).split("\n");
  return lines.flatMap((line) => {
    // An IPv6 address has colons of its own.
    const [name] = line.split("::", 1);
    const flags = /::health_flags::(.*)$/.exec(line)?.[1];
    return name === cluster && flags !== undefined ? [flags] : [];
  });
}

/** The lines of a file, once there are so many. */
export async function linesOf(path: string, count: number): Promise<readonly string[]> {
  return until(() => {
    const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
    return lines.length >= count ? lines : undefined;
  }, `${count} lines of ${path}`);
}
