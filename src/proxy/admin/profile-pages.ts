import { open, writeFile } from "node:fs/promises";
import { getHeapSnapshot } from "node:v8";
import { OK, type Page, type PageRequest, type Rendered, type Streamed } from "./page.ts";
import { PROFILE_KINDS, PROFILE_S_MAX, type ProfileKind } from "./profiler.ts";

/** A snapshot takes about as much memory as the heap has, and stops the process while it is made. */
const SNAPSHOT_HEAP_MAX = 512 * 1024 * 1024;
const SECONDS_DEFAULT = 10;

/** Envoy's switches for its profilers, V8's here, which write to the bootstrap's `profile_path`. */
export const PROFILE_PAGES: readonly Page[] = [
  switchPage("/allocprofiler", "allocation", "allocation profiler"),
  switchPage("/cpuprofiler", "cpu", "CPU profiler"),
  {
    path: "/heap_dump",
    help: "the heap as V8's snapshot, while which the process stands still",
    render: heapDump,
  },
  switchPage("/heapprofiler", "heap", "heap profiler"),
  {
    path: "/profile",
    help: "record a profile and answer with it",
    params: {
      kind: `One of (${PROFILE_KINDS.join(", ")})`,
      seconds: `How long, up to ${PROFILE_S_MAX} (${SECONDS_DEFAULT})`,
    },
    isPost: true,
    render: recordProfile,
  },
];

function switchPage(path: string, kind: ProfileKind, what: string): Page {
  return {
    path,
    help: `enable/disable the ${what}`,
    params: { enable: `One of (y, n)` },
    isPost: true,
    render: (request) => switchProfiler(kind, request),
  };
}

async function switchProfiler(
  kind: ProfileKind,
  { state, query, profiler }: PageRequest,
): Promise<Rendered> {
  const enable = query.get("enable");
  if (query.size !== 1 || (enable !== "y" && enable !== "n")) {
    return { status: 400, body: "?enable=<y|n>\n" };
  }
  const { profilePath } = state.bootstrap;
  const write = async (): Promise<void> => {
    const profile = await profiler.stop();
    if (profile !== undefined) await writeFile(profilePath, profile);
  };
  if (enable === "n") {
    // Like Envoy's, a CPU profiler that does not run stops at once.
    if (profiler.kind !== kind) {
      return kind === "cpu" ? OK : { status: 400, body: `the ${kind} profiler is not started\n` };
    }
    try {
      await write();
    } catch (error) {
      return { status: 500, body: `cannot write ${profilePath}: ${messageOf(error)}\n` };
    }
    return kind === "cpu" ? OK : { body: `stopped, data written to ${profilePath}\n` };
  }
  if (profiler.kind !== undefined) return taken(profiler.kind);
  try {
    await (await open(profilePath, "w")).close();
  } catch {
    return { status: 500, body: "failure to start the profiler" };
  }
  const isStarted = await profiler.start(kind, () => void write().catch(() => undefined));
  return isStarted ? OK : taken(kind);
}

function taken(kind: ProfileKind): Rendered {
  const what = `failure to start the profiler: the ${kind} profiler runs already\n`;
  return { status: 500, body: what };
}

/** Answers with a profile of the next seconds; a client that goes away ends it. */
async function recordProfile({ state, query, profiler, signal }: PageRequest): Promise<Rendered> {
  const kind = PROFILE_KINDS.find((one) => one === query.get("kind"));
  const seconds = Number(query.get("seconds") ?? SECONDS_DEFAULT);
  if (kind === undefined || !(seconds > 0 && seconds <= PROFILE_S_MAX)) {
    const usage = `?kind=<${PROFILE_KINDS.join("|")}>&seconds=<up to ${PROFILE_S_MAX}>\n`;
    return { status: 400, body: usage };
  }
  if (!(await profiler.start(kind, () => undefined))) return taken(profiler.kind ?? kind);
  // It ends at once when nobody waits for it any more.
  await state.clock.sleep(seconds * 1000, signal);
  const profile = await profiler.stop();
  return { body: profile ?? "", contentType: "application/json" };
}

function heapDump(): Rendered | Streamed {
  const { heapUsed } = process.memoryUsage();
  if (heapUsed > SNAPSHOT_HEAP_MAX) {
    const what = `the heap has ${heapUsed} bytes, and a snapshot may be made of ${SNAPSHOT_HEAP_MAX}`;
    return { status: 507, body: `${what}; /profile?kind=heap takes less\n` };
  }
  return {
    stream(response) {
      response.setHeader("content-type", "application/json");
      getHeapSnapshot().pipe(response);
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
