import { pairedRatios, type Spread, spread } from "../statistics.ts";
import type { CaseSample, ControlPlaneCase, WriteSample } from "./measure-case.ts";
import { WRITES, type WriteKind } from "./mesh-objects.ts";
import type { ServerName } from "./server.ts";

/** One line of the tables, and of the JSON. */
export interface ControlPlaneRow {
  readonly kind: "control-plane";
  readonly case: ControlPlaneCase;
  readonly work: "first configuration" | WriteKind;
  readonly server: ServerName;
  /** By the names of the columns; over all runs. */
  readonly values: Readonly<Record<string, Spread>>;
  /** Of some of the values, over istiod's of the same run. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

/** What was measured of a case, by server, in the order of the runs. */
export type Samples = ReadonlyMap<ServerName, readonly CaseSample[]>;

type Columns = Readonly<Record<string, readonly number[]>>;

/** Columns that are held against istiod. */
const COMPARED: ReadonlySet<string> = new Set(["ms", "last ACK ms", "CPU ms", "resident MiB"]);

/** The rows of a case. */
export function caseRows(one: ControlPlaneCase, samples: Samples): readonly ControlPlaneRow[] {
  const works = ["first configuration", ...WRITES] as const;
  return works.flatMap((work) => {
    const columns = new Map([...samples].map(([name, of]) => [name, columnsOf(work, of)]));
    const peer = columns.get("istiod");
    return [...columns].map(([server, own]): ControlPlaneRow => {
      const entries = Object.entries(own);
      const compared = server === "istiod" ? [] : entries.filter(([name]) => COMPARED.has(name));
      return {
        kind: "control-plane",
        case: one,
        work,
        server,
        values: Object.fromEntries(entries.map(([name, values]) => [name, spread(values)])),
        ratios: Object.fromEntries(
          compared.flatMap(([name, values]) => {
            const ofPeer = peer?.[name];
            return ofPeer === undefined ? [] : [[name, spread(pairedRatios(values, ofPeer))]];
          }),
        ),
      };
    });
  });
}

function columnsOf(work: ControlPlaneRow["work"], samples: readonly CaseSample[]): Columns {
  if (work === "first configuration") {
    const of = (take: (sample: CaseSample["first"]) => number): number[] =>
      samples.map(({ first }) => take(first));
    return {
      ms: of(({ ms }) => ms),
      "CPU ms": of(({ cpuMs }) => cpuMs),
      "MiB sent": of(({ mib }) => mib),
      "peak MiB": of(({ peakMiB }) => peakMiB),
      "resident MiB": of(({ afterMiB }) => afterMiB),
      "clients' CPU ms": of(({ clientCpuMs }) => clientCpuMs),
      retries: of(({ retries }) => retries),
    };
  }
  const of = (take: (sample: WriteSample) => number): number[] =>
    samples.flatMap(({ writes }) => writes[work].map(take));
  return {
    "first ACK ms": of(({ firstMs }) => firstMs),
    "last ACK ms": of(({ lastMs }) => lastMs),
    "CPU ms": of(({ cpuMs }) => cpuMs),
    "KiB sent": of(({ kib }) => kib),
  };
}

/** Markdown: one table for first configurations, one for what is written. */
export function formatRows(rows: readonly ControlPlaneRow[]): string {
  const isFirst = ({ work }: ControlPlaneRow): boolean => work === "first configuration";
  return [rows.filter(isFirst), rows.filter((row) => !isFirst(row))]
    .filter((some) => some.length > 0)
    .map(formatTable)
    .join("\n\n");
}

function formatTable(rows: readonly ControlPlaneRow[]): string {
  const columns = Object.keys(rows[0]?.values ?? {});
  const compared = columns.filter((column) => rows.some(({ ratios }) => column in ratios));
  const heads = [...columns, ...compared.map((column) => `ratio of ${column}`)];
  const lines = [
    `| services × clients | work | server | ${heads.join(" | ")} |`,
    `|---|---|---|${heads.map(() => "---:|").join("")}`,
  ];
  for (const { case: one, work, server, values, ratios } of rows) {
    const cells = [
      ...columns.map((column) => formatSpread(values[column])),
      ...compared.map((column) => formatRatio(ratios[column])),
    ];
    const size = `${one.services} × ${one.clients}, ${one.variant}`;
    lines.push(`| ${[size, work, server, ...cells].join(" | ")} |`);
  }
  return lines.join("\n");
}

function formatSpread(value: Spread | undefined): string {
  if (value === undefined) return "";
  const { median, lower, upper } = value;
  if (lower === upper) return formatNumber(median);
  return `${formatNumber(median)} (${formatNumber(lower)}–${formatNumber(upper)})`;
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(1);
}

function formatRatio(value: Spread | undefined): string {
  return value === undefined ? "" : value.median.toFixed(3);
}
