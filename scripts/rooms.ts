/**
 * Holds the rooms of `src/` to their one direction: a room imports only the rooms that the table
 * names, which all stand above it, and only the files right inside them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Which rooms a room may import; every one stands earlier in the list. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  telemetry: ["base"],
  api: ["base"],
  identity: ["base"],
  config: ["base"],
  storage: ["base", "telemetry", "config"],
  source: ["base", "telemetry", "config", "storage"],
  store: ["base", "telemetry", "config"],
  apiserver: ["base", "telemetry", "identity", "config", "storage"],
  model: ["base", "identity", "config", "store"],
  match: ["base", "api"],
  xds: ["base", "api", "identity", "config", "model"],
  ads: ["base", "telemetry", "api", "identity", "config", "match", "xds"],
  xdsclient: ["base", "telemetry", "api"],
  proxy: ["base", "telemetry", "api", "identity", "match", "xdsclient"],
  agent: ["base", "telemetry", "api", "identity", "xdsclient", "proxy"],
  runtime: ["base", "telemetry", "identity", "config", "storage", "source"],
  controlplane: [
    "base",
    "telemetry",
    "api",
    "identity",
    "config",
    "storage",
    "source",
    "store",
    "model",
    "xds",
    "ads",
  ],
  local: [
    "base",
    "telemetry",
    "identity",
    "config",
    "storage",
    "source",
    "apiserver",
    "agent",
    "runtime",
    "controlplane",
    "model",
  ],
  cli: ["base", "telemetry", "identity", "config", "store", "model", "xds", "local"],
  // One `main` per process: what they start is theirs to import.
  cmd: ["base", "telemetry", "source", "proxy", "agent", "controlplane", "local", "cli"],
};

/** What must not stand in `src/`, and what to use instead; plain text, so a miss is not subtle. */
const BANNED: readonly { text: string; instead: string; allowedIn?: RegExp }[] = [
  { text: "setTimeout(", instead: "Clock", allowedIn: /^src\/base\/node-clock\.ts$/ },
  { text: "setInterval(", instead: "Clock" },
  { text: "Date.now(", instead: "Clock.nowMs()", allowedIn: /^src\/base\/node-clock\.ts$/ },
  { text: "Math.random(", instead: "Prng.next()", allowedIn: /^src\/base\/node-prng\.ts$/ },
  { text: "FIXME", instead: "finishing it" },
];

const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

/** All that is wrong with one source file, as `path:line: what`. */
export function checkFile(path: string, text: string): readonly string[] {
  const problems: string[] = [];
  const room = roomOf(path);
  const allowed = ROOMS[room];
  if (allowed === undefined) return [`${path}:1: room "${room}" is not in the table`];
  for (const match of text.matchAll(IMPORT)) {
    const target = normalize(join(dirname(path), match[1] ?? ""));
    const targetRoom = roomOf(target);
    const at = `${path}:${lineOf(text, match.index)}`;
    if (targetRoom === room) continue;
    if (!allowed.includes(targetRoom)) problems.push(`${at}: ${room} may not import ${targetRoom}`);
    // What is generated has no other face than its files.
    else if (target.split("/").length > 3 && !target.startsWith("src/api/gen/")) {
      problems.push(`${at}: ${target} is private to ${targetRoom}`);
    }
  }
  if (path.endsWith(".test.ts")) return problems;
  for (const { text: banned, instead, allowedIn } of BANNED) {
    const index = text.indexOf(banned);
    if (index === -1 || allowedIn?.test(path) === true) continue;
    problems.push(`${path}:${lineOf(text, index)}: "${banned}" is banned, use ${instead}`);
  }
  return problems;
}

/** What is wrong with the table itself: a room that imports one that stands after it. */
export function checkTable(rooms: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const order = Object.keys(rooms);
  return order.flatMap((room, index) =>
    (rooms[room] ?? [])
      .filter((target) => !order.slice(0, index).includes(target))
      .map((target) => `room "${room}" names "${target}", which does not stand before it`),
  );
}

function roomOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

function main(): void {
  const repository = dirname(dirname(fileURLToPath(import.meta.url)));
  const problems = [...checkTable(ROOMS)];
  for (const entry of readdirSync(join(repository, "src"), {
    recursive: true,
    withFileTypes: true,
  })) {
    const path = relative(repository, join(entry.parentPath, entry.name));
    if (!entry.isFile() || !path.endsWith(".ts") || path.startsWith("src/api/gen/")) continue;
    problems.push(...checkFile(path, readFileSync(join(repository, path), "utf8")));
  }
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
