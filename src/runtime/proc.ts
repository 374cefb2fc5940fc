/** What Linux' /proc says about processes and sockets. Reads are small and synchronous. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { formatIpv4 } from "../base/ip.ts";

/** One process. */
export interface ProcessStat {
  readonly pid: number;
  /** `Z` is a zombie: it has ended and only waits for its parent to look. */
  readonly state: string;
  readonly command: string;
  readonly parentPid: number;
  readonly groupId: number;
  /** Clock ticks since boot; with the pid it tells a process from a later one of the same number. */
  readonly startTicks: string;
}

/** One socket that listens. */
export interface ListeningSocket {
  /** "0.0.0.0" and "::" are all addresses. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

const STATE_LISTEN = "0A";

/** A process, or `undefined` when there is none. */
export function readProcess(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command stands in parentheses and may contain anything, parentheses included.
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  return {
    pid,
    command: text.slice(text.indexOf("(") + 1, end),
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    groupId: Number(fields[2]),
    startTicks: fields[19] ?? "",
  };
}

/** Whether a process is there and has not ended. */
export function isAlive(stat: ProcessStat | undefined): stat is ProcessStat {
  return stat !== undefined && stat.state !== "Z" && stat.state !== "X";
}

/** All processes that this user may see. */
export function listProcesses(): readonly ProcessStat[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = readProcess(Number(name));
    return stat === undefined ? [] : [stat];
  });
}

/** Those of a process group that have not ended. */
export function groupMembers(groupId: number): readonly ProcessStat[] {
  return listProcesses().filter((stat) => stat.groupId === groupId && isAlive(stat));
}

/** A variable of a process's first environment; `undefined` also when it may not be read. */
export function readEnvironment(pid: number, name: string): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch {
    return undefined;
  }
}

/** The TCP sockets of this machine that listen. */
export function listListeningSockets(): readonly ListeningSocket[] {
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => {
    try {
      return parseListeningSockets(readFileSync(file, "utf8"));
    } catch {
      // A kernel without IPv6 has no second file.
      return [];
    }
  });
}

/** Parses `/proc/net/tcp` or `tcp6`. */
export function parseListeningSockets(text: string): readonly ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address, port] = (fields[1] ?? "").split(":");
    if (fields[3] !== STATE_LISTEN || address === undefined || port === undefined) continue;
    sockets.push({
      address: formatProcAddress(address),
      port: Number.parseInt(port, 16),
      inode: fields[9] ?? "",
    });
  }
  return sockets;
}

/** The process that holds a socket, among those given; needs the right to look at it. */
export function findSocketOwner(
  inode: string,
  pids: readonly ProcessStat[],
): ProcessStat | undefined {
  return pids.find(({ pid }) => socketInodes(pid).has(inode));
}

/** The inodes of a process's sockets; empty when it is gone or not ours to look at. */
export function socketInodes(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  try {
    for (const file of readdirSync(`/proc/${pid}/fd`)) {
      const match = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${file}`));
      if (match?.[1] !== undefined) inodes.add(match[1]);
    }
  } catch {
    return inodes;
  }
  return inodes;
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** /proc writes addresses as 32-bit words in the machine's byte order. */
function formatProcAddress(hex: string): string {
  if (hex.length === 8) return formatIpv4(swap(hex));
  if (/^0+$/.test(hex)) return "::";
  const mapped = /^0{16}FFFF0000(.{8})$/.exec(hex);
  return mapped?.[1] === undefined ? hex.toLowerCase() : formatIpv4(swap(mapped[1]));
}

function swap(hex: string): number {
  return Buffer.from(hex, "hex").readUInt32LE(0);
}
