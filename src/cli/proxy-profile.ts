import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { formatUsage, parseCount, parseFlags } from "./flags.ts";

const ADDR_DEFAULT = "127.0.0.1:15000";
const SECONDS_DEFAULT = "10";
/** Beyond the recording: a busy proxy takes its time to write it down. */
const SLACK_MS = 60_000;
const PROBLEM_CHARACTERS_MAX = 1000;

/** By what is asked for: the ending that tools know its file by. */
const ENDINGS: Readonly<Record<string, string>> = {
  cpu: "cpuprofile",
  heap: "heapprofile",
  allocation: "heapprofile",
  snapshot: "heapsnapshot",
};

const FLAGS = {
  "admin-addr": {
    value: "ADDR",
    help: `the proxy's admin interface, HOST:PORT (default ${ADDR_DEFAULT})`,
  },
  seconds: { value: "N", help: `how long to record, up to 600 (default ${SECONDS_DEFAULT})` },
  output: { short: "o", value: "FILE", help: "where to write it (default weft-KIND.ENDING)" },
} as const;

/** `weft proxy-profile`: where a proxy spends its time and memory, as a file for other tools. */
export const proxyProfileCommand: Command = {
  summary: "record where a proxy spends time or memory",
  usage: formatUsage({
    forms: ["proxy-profile cpu|heap|allocation|snapshot [FLAGS]"],
    text: `
Asks a running proxy to record itself, and writes what it says into a file. cpu: where time goes
(.cpuprofile). heap: who holds what was allocated meanwhile (.heapprofile). allocation: who
allocated, with what was collected since. Chrome's DevTools and speedscope open them. snapshot:
the whole heap at once (.heapsnapshot, for DevTools); the proxy stands still while it is made.

One recording goes on at a time; without one there is no cost.`,
    flags: FLAGS,
    examples: ["proxy-profile cpu", "proxy-profile heap --seconds 60 -o slow.heapprofile"],
  }),
  run,
};

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, positionals } = parseFlags("proxy-profile", args, FLAGS);
  const [kind = "", ...more] = positionals;
  const ending = Object.hasOwn(ENDINGS, kind) ? ENDINGS[kind] : undefined;
  if (ending === undefined || more.length > 0) {
    throw new CliError(`say what to record, one of ${Object.keys(ENDINGS).join(", ")}`);
  }
  const addr = flags["admin-addr"] ?? ADDR_DEFAULT;
  if (!/^(?:[^:\s/]+|\[[\da-f:]+\]):\d{1,5}$/i.test(addr)) {
    throw new CliError(`--admin-addr: "${addr}" is no address of the form ${ADDR_DEFAULT}`);
  }
  const seconds = parseCount("--seconds", flags.seconds ?? SECONDS_DEFAULT);
  const file = flags.output ?? `weft-${kind}.${ending}`;
  const path = kind === "snapshot" ? "/heap_dump" : `/profile?kind=${kind}&seconds=${seconds}`;
  const answer = await ask(`http://${addr}${path}`, {
    method: kind === "snapshot" ? "GET" : "POST",
    timeoutMs: (kind === "snapshot" ? 0 : seconds * 1000) + SLACK_MS,
    signal: io.signal,
  });
  if (answer.statusCode !== 200) {
    throw new CliError(`the proxy at ${addr} answered ${answer.statusCode}: ${await head(answer)}`);
  }
  try {
    await pipeline(answer, createWriteStream(file), { signal: io.signal });
  } catch (error) {
    await rm(file, { force: true });
    throw new CliError(`cannot write ${file}: ${messageOf(error)}`);
  }
  io.stdout(`${file}\n`);
  return EXIT.done;
}

function ask(
  url: string,
  { method, timeoutMs, signal }: { method: string; timeoutMs: number; signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, signal, agent: false, timeout: timeoutMs }, resolve);
    asked.on("timeout", () => asked.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    asked.on("error", (error) => {
      reject(new CliError(`cannot ask the proxy at ${url}: ${messageOf(error)}`));
    });
    asked.end();
  });
}

/** What was said instead of a profile. */
async function head(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer) {
    text += String(chunk);
    if (text.length > PROBLEM_CHARACTERS_MAX) break;
  }
  return text.trim().slice(0, PROBLEM_CHARACTERS_MAX);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
