import { existsSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Pod } from "../config/pod.ts";
import type { Container } from "../config/pod-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { findCatalogueEntry } from "./catalogue.ts";
import { buildEnv, expandVariables } from "./container-env.ts";
import type { ProcessSpec } from "./container-process.ts";
import type { PodAddresses } from "./pod-network.ts";

/** The catalogue as it is now, and how messages name it. */
export interface Catalogue {
  /** Asked before each start, so that an entry added later is found. */
  readonly entries: () => readonly CatalogueEntry[];
  /** The file in which an entry would be added. */
  readonly file: string;
  /** What is wrong with the files as they are now, file and place first. */
  readonly problems: () => readonly string[];
}

/** A container as a process, or why it waits. */
export type ResolvedContainer =
  | { readonly ok: true; readonly spec: ProcessSpec; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** What a container is resolved with. */
export interface ResolveContext {
  readonly addresses: PodAddresses;
  readonly hasSidecar: boolean;
  /** The pod's own folder. */
  readonly directory: string;
  readonly catalogue: Catalogue;
  readonly serverEnv: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds out what to run for a container. Its own `command` is run as it is; the catalogue is asked
 * only where there is none. Folders of volumes are made.
 */
export function resolveContainer(
  pod: Pod,
  container: Container,
  context: ResolveContext,
): ResolvedContainer {
  const { catalogue } = context;
  const image = container.image ?? "";
  const hasCommand = (container.command?.length ?? 0) > 0;
  const entry = hasCommand ? undefined : findCatalogueEntry(catalogue.entries(), image);
  if (!hasCommand && entry === undefined) {
    const problems = catalogue.problems();
    const remedy =
      problems.length > 0
        ? `which is broken: ${problems.join("; ")}`
        : `add an entry to ${catalogue.file}, or give the container a command`;
    const separator = problems.length > 0 ? "," : ":";
    const message = `image "${image}" is not in the catalogue${separator} ${remedy}`;
    return { ok: false, reason: "ErrImagePull", message };
  }
  return resolveFound(pod, container, entry, context);
}

function resolveFound(
  pod: Pod,
  container: Container,
  entry: CatalogueEntry | undefined,
  context: ResolveContext,
): ResolvedContainer {
  const { directory } = context;
  const { tmpDirectory, warnings } = mountVolumes(pod, container, directory);
  const { env, problems } = buildEnv(pod, container, entry?.env ?? {}, {
    ...context,
    ...(tmpDirectory === undefined ? {} : { tmpDirectory }),
  });
  const workingDir = container.workingDir ?? entry?.workingDir ?? directory;
  if (!existsSync(workingDir)) {
    const message = `workingDir "${workingDir}" is not a folder of this machine: containers run without their image's files`;
    return { ok: false, reason: "CreateContainerConfigError", message };
  }
  if (problems.length > 0) {
    return { ok: false, reason: "CreateContainerConfigError", message: problems.join("; ") };
  }
  const args = container.args ?? entry?.args ?? [];
  const program = entry?.command ?? container.command ?? [];
  const command = [...program, ...args].map((part) => expandVariables(part, env));
  return { ok: true, spec: { command, env: withOwnNode(env), workingDir }, warnings };
}

/** The Node that runs weft is found as `node` also where it is not in anybody's `PATH`. */
function withOwnNode(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return {
    ...env,
    PATH: `${env["PATH"] ?? "/usr/bin:/bin"}${delimiter}${dirname(process.execPath)}`,
  };
}

function mountVolumes(
  pod: Pod,
  container: Container,
  directory: string,
): { readonly tmpDirectory?: string; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  let tmpDirectory: string | undefined;
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((candidate) => candidate.name === name);
    if (volume?.emptyDir === undefined) {
      warnings.push(`volume "${name}" at ${mountPath}: only emptyDir is built`);
      continue;
    }
    const folder = join(directory, "volumes", name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (mountPath.replace(/\/+$/, "") === "/tmp") tmpDirectory = folder;
    else {
      warnings.push(
        `volume "${name}" is not visible at ${mountPath}: portable mode has no mounts; its folder is ${folder}`,
      );
    }
  }
  return { ...(tmpDirectory === undefined ? {} : { tmpDirectory }), warnings };
}
