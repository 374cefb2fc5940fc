import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { CALLED_HOSTS_MAX, parseCalledHost } from "../model/called-hosts.ts";
import type { Labels } from "../model/labels.ts";

/** Changes when the form does; a file in another form counts as missing. */
const FORM = 1;

/** What one workload was seen to call, and when each host was asked for last (ms since the epoch). */
export interface StoredCalls {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Labels;
  readonly hosts: Readonly<Record<string, number>>;
}

interface Stored {
  readonly form: number;
  readonly workloads: readonly StoredCalls[];
}

/**
 * Reads what an earlier run saw; nothing when there was none. What is not of the form is left out:
 * it is asked for again. Rejects when the file is there and cannot be used.
 */
export async function readCalledHosts(path: string): Promise<readonly StoredCalls[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const stored = JSON.parse(text) as Partial<Stored> | null;
  if (stored?.form !== FORM || !Array.isArray(stored.workloads)) return [];
  return stored.workloads.filter(isStoredCalls);
}

function isStoredCalls(value: unknown): value is StoredCalls {
  if (!isRecord(value)) return false;
  const { namespace, name, selector, hosts } = value;
  return (
    typeof namespace === "string" &&
    typeof name === "string" &&
    isRecord(selector) &&
    Object.values(selector).every((label) => typeof label === "string") &&
    isRecord(hosts) &&
    Object.keys(hosts).length <= CALLED_HOSTS_MAX &&
    Object.entries(hosts).every(
      ([host, atMs]) => parseCalledHost(host) !== undefined && Number.isFinite(atMs),
    )
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes it whole or not at all, for the owner's eyes only. */
export async function writeCalledHosts(
  path: string,
  workloads: readonly StoredCalls[],
): Promise<void> {
  const stored: Stored = { form: FORM, workloads };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.new`;
  await writeFile(aside, JSON.stringify(stored), { mode: 0o600 });
  await rename(aside, path);
}
