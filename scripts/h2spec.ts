/**
 * Runs h2spec, which tries a server of HTTP/2 against RFC 9113 and RFC 7541, on weft's proxy and on a
 * real Envoy with the same configuration; prints how many of its cases each passes, and those that
 * either fails. `npm run h2spec` builds it first. Some cases send what is wrong in a packet of its
 * own: where the answer is the proxy's, it may have been sent by then, and the stream be closed.
 */
import { findProgram } from "../test/programs.ts";
import { type H2specRun, runH2spec } from "../test/proxy/http2/h2spec-suite.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function printTable(runs: readonly H2specRun[]): void {
  for (const { plane, target, results } of runs) {
    const of = (outcome: string): number => results.filter((one) => one.outcome === outcome).length;
    const skipped = of("skipped") === 0 ? "" : `, ${of("skipped")} skipped`;
    say(`${plane}, ${target}: ${of("passed")} of ${results.length} passed${skipped}`);
  }
  const failed = new Map<string, string[]>();
  for (const { plane, target, results } of runs) {
    for (const { name, outcome, why } of results) {
      if (outcome !== "failed") continue;
      const lines = failed.get(name) ?? [];
      failed.set(name, [...lines, `  ${plane}, ${target}: ${why}`]);
    }
  }
  for (const [name, lines] of failed) say(["", name, ...lines].join("\n"));
}

const program = findProgram("h2spec");
if (program === undefined) process.exit(1);
printTable(await runH2spec(program, ["weft", "envoy"]));
