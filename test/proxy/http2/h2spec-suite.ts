import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { httpListener, routeTable, socketAddress, staticCluster } from "../bootstrap-json.ts";
import { BothPlanes } from "../both-planes.ts";
import { ScriptedUpstream } from "../scripted-upstream.ts";

/** How long a case waits for what has to come, on a machine that is slow. */
const CASE_SECONDS_MAX = 10;
/** All of them, on a machine that is slow. */
const SUITE_MS_MAX = 500_000;

/** What h2spec sends its requests to: an upstream, or the proxy's own answer. */
export const H2SPEC_TARGETS = ["proxied", "direct"] as const;
export type H2specTarget = (typeof H2SPEC_TARGETS)[number];

/** What came of one case; `why` is h2spec's own text. */
export interface H2specResult {
  /** Section of the standard and what is tried, as `http2/6.1 2. Sends a DATA frame …`. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly why: string;
}

/** One data plane, tried on one target. */
export interface H2specRun {
  readonly plane: "weft" | "envoy";
  readonly target: H2specTarget;
  readonly results: readonly H2specResult[];
}

/** Several frames' worth, so that cases about windows have something to hold back. */
const BODY = "x".repeat(1_024);

/** A proxy whose requests for `/` are passed on by one port, and answered by itself on the other. */
function bootstrapOf(
  ports: Readonly<Record<H2specTarget | "admin", number>>,
  upstreamPort: number,
): object {
  const listener = (name: H2specTarget, route: object): object =>
    httpListener(name, ports[name], {
      codec_type: "HTTP2",
      delayed_close_timeout: "0.1s",
      route_config: routeTable([route]),
    });
  const answer = { status: 200, body: { inline_string: BODY } };
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        listener("proxied", { match: { prefix: "/" }, route: { cluster: "upstream" } }),
        listener("direct", { match: { prefix: "/" }, direct_response: answer }),
      ],
      clusters: [staticCluster("upstream", [upstreamPort])],
    },
  };
}

/** Runs all of h2spec's cases against the data planes that are asked for and are here. */
export async function runH2spec(
  program: string,
  asked: readonly H2specRun["plane"][],
): Promise<readonly H2specRun[]> {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`;
  const upstream = await ScriptedUpstream.start({ "/": { send: head + BODY } });
  const planes = new BothPlanes<H2specTarget>();
  try {
    await planes.start(H2SPEC_TARGETS, (ports) => bootstrapOf(ports, upstream.port));
    const runs: H2specRun[] = [];
    for (const { name, ports } of planes.planes) {
      if (!asked.includes(name)) continue;
      for (const target of H2SPEC_TARGETS) {
        const results = await runSuite(program, ports[target]);
        runs.push({ plane: name, target, results });
      }
    }
    return runs;
  } finally {
    await planes.stop();
    await upstream.stop();
  }
}

async function runSuite(program: string, port: number): Promise<readonly H2specResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "weft-h2spec-"));
  const report = join(folder, "report.xml");
  const args = ["-p", String(port), "-o", String(CASE_SECONDS_MAX), "-S", "-j", report];
  try {
    // It ends with 1 where a case fails: what counts is its report.
    await new Promise<void>((resolve) => {
      execFile(program, args, { timeout: SUITE_MS_MAX }, () => resolve());
    });
    return readReport(await readFile(report, "utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const CASE =
  /<testcase package="([^"]*)" classname="([^"]*)" time="[^"]*"(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/** The cases of a report in JUnit's format, in their order; equal names are told apart by number. */
function readReport(xml: string): readonly H2specResult[] {
  const results: H2specResult[] = [];
  for (const [, section = "", title = "", inside = ""] of xml.matchAll(CASE)) {
    const isFailed = inside.includes("<failure") || inside.includes("<error");
    const outcome = isFailed ? "failed" : inside.includes("<skipped") ? "skipped" : "passed";
    const why = plainText(inside)
      .trim()
      .replaceAll(/\s*\n\s*/g, "; ");
    results.push({ name: plainText(`${section} ${title}`), outcome, why });
  }
  return results;
}

function plainText(xml: string): string {
  return xml
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/&#x([\dA-F]+);/gi, (_, code: string) =>
      String.fromCodePoint(Number.parseInt(code, 16)),
    )
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}
