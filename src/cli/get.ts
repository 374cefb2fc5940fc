import type { Kind } from "../config/kind.ts";
import { apiVersionOf } from "../config/kind.ts";
import type { KubeObject } from "../config/object.ts";
import { type ApiClient, ApiError } from "./api-client.ts";
import { CliError, type Command, type CommandIo, EXIT } from "./command.ts";
import { connect } from "./connect.ts";
import { CONNECTION_FLAGS, formatUsage, NAMESPACE_FLAG, parseFlags } from "./flags.ts";
import { apiPath, kindName, objectName, parseTargets, type Target } from "./kind-names.ts";
import { type OutputFormat, parseOutputFormat } from "./output-format.ts";
import { formatTable } from "./text-table.ts";

const FLAGS = {
  ...NAMESPACE_FLAG,
  "all-namespaces": { short: "A", help: "look into every namespace" },
  selector: {
    short: "l",
    value: "SELECTOR",
    help: "only objects with these labels: app=x,version!=v1",
  },
  output: { short: "o", value: "FORMAT", help: "wide, json, yaml, name, jsonpath=TEMPLATE" },
  watch: { short: "w", help: "go on with every change" },
  "no-headers": { help: "no line of headings" },
  "show-labels": { help: "labels as the last column" },
  "ignore-not-found": { help: "an object that is not there is no failure" },
  ...CONNECTION_FLAGS,
} as const;

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/** The API's answer for people; cells are ready to print. */
interface Table {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority?: number }[];
  readonly rows: readonly {
    readonly cells: readonly unknown[];
    readonly object?: Partial<KubeObject>;
  }[];
}

interface ObjectList {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly items: readonly KubeObject[];
}

/** What one `get` looks at, and how it prints. */
interface Query {
  readonly client: ApiClient;
  readonly io: CommandIo;
  /** Absent: all. */
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
  readonly format: OutputFormat;
  readonly hasHeadings: boolean;
  readonly hasLabels: boolean;
  readonly ignoresMissing: boolean;
}

/** `weft get` */
export const getCommand: Command = {
  summary: "print objects",
  usage: formatUsage({
    forms: ["get KIND[,KIND] [NAME...] [FLAGS]", "get KIND/NAME... [FLAGS]"],
    text: `
Prints objects, as kubectl does. KIND is a name, a plural or a short name (po, svc, deploy, vs, dr,
gw); "all" is every kind of workload.`,
    flags: FLAGS,
    examples: [
      "get pods -A",
      "get vs reviews -o yaml",
      "get svc -l app=reviews -o jsonpath='{.items[0].spec.clusterIP}'",
    ],
  }),
  async run(args, io) {
    const { flags, positionals } = parseFlags("get", args, FLAGS);
    const targets = parseTargets(positionals);
    const format = parseOutputFormat(flags.output);
    if (flags["all-namespaces"] && targets.some(({ name }) => name !== undefined)) {
      throw new CliError("a name and --all-namespaces do not go together");
    }
    return connect(flags, io, async (client) => {
      const query: Query = {
        client,
        io,
        namespace: flags["all-namespaces"]
          ? undefined
          : (flags.namespace ?? client.access.namespace),
        selector: flags.selector,
        format,
        hasHeadings: !flags["no-headers"],
        hasLabels: flags["show-labels"],
        ignoresMissing: flags["ignore-not-found"],
      };
      if (flags.watch) return await watch(query, targets);
      if (format.type === "table") return await printTables(query, targets);
      return await printObjects(query, format, targets);
    });
  },
};

async function printTables(query: Query, targets: readonly Target[]): Promise<number> {
  const { io } = query;
  const kinds = new Set(targets.map(({ kind }) => kind));
  let exitCode: number = EXIT.done;
  let printed = 0;
  for (const kind of kinds) {
    const tables: Table[] = [];
    for (const target of targets.filter((one) => one.kind === kind)) {
      const body = await ask(query, target, TABLE);
      if (body === "missing") exitCode = EXIT.failure;
      else if (body !== undefined) tables.push(body as Table);
    }
    const rows = tables.flatMap((table) => table.rows);
    const columns = tables[0]?.columnDefinitions;
    if (columns === undefined || rows.length === 0) continue;
    if (printed > 0) io.stdout("\n");
    printed += rows.length;
    const layout = layoutOf(query, kind, columns, kinds.size > 1);
    io.stdout(formatTable(query.hasHeadings ? layout.headings : [], rows.map(layout.row)));
  }
  const hasNames = targets.some(({ name }) => name !== undefined);
  if (printed === 0 && exitCode === EXIT.done && !hasNames) {
    const where = query.namespace === undefined ? "" : ` in ${query.namespace} namespace`;
    io.stderr(`No resources found${[...kinds].some((kind) => kind.isNamespaced) ? where : ""}.\n`);
  }
  return exitCode;
}

interface Layout {
  readonly headings: readonly string[];
  readonly row: (row: Table["rows"][number]) => readonly string[];
}

function layoutOf(
  query: Query,
  kind: Kind,
  columns: Table["columnDefinitions"],
  isMixed: boolean,
): Layout {
  const isWide = query.format.type === "table" && query.format.isWide;
  const shown = columns
    .map((column, at) => ({ ...column, at }))
    .filter((column) => isWide || (column.priority ?? 0) === 0);
  const hasNamespace = query.namespace === undefined && kind.isNamespaced;
  return {
    headings: [
      ...(hasNamespace ? ["NAMESPACE"] : []),
      ...shown.map(({ name }) => name.toUpperCase()),
      ...(query.hasLabels ? ["LABELS"] : []),
    ],
    row: ({ cells, object }) => [
      ...(hasNamespace ? [object?.metadata?.namespace ?? ""] : []),
      ...shown.map(({ at }, position) => {
        const cell = showCell(cells[at]);
        return isMixed && position === 0 ? objectName(kind, cell) : cell;
      }),
      ...(query.hasLabels ? [showLabels(object?.metadata?.labels)] : []),
    ],
  };
}

function showCell(cell: unknown): string {
  if (cell === undefined || cell === null) return "";
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

function showLabels(labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? "<none>" : pairs.sort().join(",");
}

async function printObjects(
  query: Query,
  format: Exclude<OutputFormat, { type: "table" }>,
  targets: readonly Target[],
): Promise<number> {
  const found: { readonly kind: Kind; readonly object: KubeObject }[] = [];
  let exitCode: number = EXIT.done;
  for (const target of targets) {
    const body = await ask(query, target, "application/json");
    if (body === "missing") exitCode = EXIT.failure;
    else if (body !== undefined) {
      const { kind } = target;
      const objects = target.name === undefined ? (body as ObjectList).items : [body as KubeObject];
      found.push(...objects.map((object) => ({ kind, object: withType(kind, object) })));
    }
  }
  if (format.type === "name") {
    for (const { kind, object } of found) {
      query.io.stdout(`${objectName(kind, object.metadata.name)}\n`);
    }
    return exitCode;
  }
  const isOne = targets.length === 1 && targets[0]?.name !== undefined;
  if (isOne) {
    if (found[0] !== undefined) query.io.stdout(format.print(found[0].object));
    return exitCode;
  }
  const items = found.map(({ object }) => object);
  const list = { apiVersion: "v1", items, kind: "List", metadata: { resourceVersion: "" } };
  query.io.stdout(format.print(list));
  return exitCode;
}

/** Entries of a list come without their type: it is the list's. */
function withType(kind: Kind, object: KubeObject): KubeObject {
  const { apiVersion, kind: name, ...rest } = object as Partial<KubeObject>;
  return {
    apiVersion: apiVersion ?? apiVersionOf(kind),
    kind: name ?? kind.kind,
    ...rest,
  } as KubeObject;
}

/** The answer about one target; "missing", said on standard error, when it is not there. */
async function ask(query: Query, { kind, name }: Target, accept: string): Promise<unknown> {
  try {
    const { body } = await query.client.call({
      method: "GET",
      path: apiPath(kind, query.namespace, name),
      accept,
      ...(query.selector === undefined || name !== undefined
        ? {}
        : { query: { labelSelector: query.selector } }),
    });
    return body;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404 || name === undefined) throw error;
    if (query.ignoresMissing) return undefined;
    query.io.stderr(`weft: ${error.message}\n`);
    return "missing";
  }
}

async function watch(query: Query, targets: readonly Target[]): Promise<number> {
  const [target, ...more] = targets;
  if (target === undefined || more.length > 0) {
    throw new CliError("--watch looks at one kind, or one object, at a time");
  }
  const { format, client, io } = query;
  const { kind, name } = target;
  const accept = format.type === "table" ? TABLE : "application/json";
  const path = apiPath(kind, query.namespace);
  const selection: Record<string, string> = {
    ...(name === undefined ? {} : { fieldSelector: `metadata.name=${name}` }),
    ...(query.selector === undefined ? {} : { labelSelector: query.selector }),
  };
  const { body } = await client.call({ method: "GET", path, accept, query: selection });
  const printer = new WatchPrinter(query, kind);
  printer.first(body);
  const resourceVersion = (body as ObjectList).metadata?.resourceVersion ?? "";
  const events = client.lines({
    method: "GET",
    path,
    accept,
    query: { ...selection, watch: "1", resourceVersion },
  });
  for await (const line of events) {
    const event = JSON.parse(line) as { readonly type: string; readonly object: unknown };
    if (event.type === "BOOKMARK") continue;
    if (event.type === "ERROR") {
      throw new CliError(
        `the watch ended: ${(event.object as { message?: string }).message ?? ""}`,
      );
    }
    printer.next(event.object);
  }
  if (!io.signal.aborted) throw new CliError("the watch ended: the server closed it");
  return EXIT.done;
}

class WatchPrinter {
  readonly #query: Query;
  readonly #kind: Kind;
  #layout: Layout | undefined;
  #widths: readonly number[] = [];

  constructor(query: Query, kind: Kind) {
    this.#query = query;
    this.#kind = kind;
  }

  first(body: unknown): void {
    if (this.#query.format.type === "table") this.#rows(body as Table);
    else for (const object of (body as ObjectList).items) this.#object(object);
  }

  next(body: unknown): void {
    if (this.#query.format.type === "table") this.#rows(body as Table);
    else this.#object(body as KubeObject);
  }

  #object(object: KubeObject): void {
    const { format, io } = this.#query;
    if (format.type === "name") {
      io.stdout(`${kindName(this.#kind)}/${object.metadata.name}\n`);
    } else if (format.type === "value") {
      io.stdout(format.print(withType(this.#kind, object)));
    }
  }

  /** Later rows keep the columns of the first ones, where they fit. */
  #rows(table: Table): void {
    const isFirst = this.#layout === undefined;
    // Only the first table of a watch brings the columns along.
    this.#layout ??= layoutOf(this.#query, this.#kind, table.columnDefinitions, false);
    const rows = table.rows.map(this.#layout.row);
    if (rows.length === 0) {
      if (isFirst) this.#layout = undefined;
      return;
    }
    const all = isFirst && this.#query.hasHeadings ? [this.#layout.headings, ...rows] : rows;
    if (isFirst) {
      this.#widths = this.#layout.headings.map((_, at) =>
        Math.max(...all.map((row) => row[at]?.length ?? 0)),
      );
    }
    const padded = all.map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(this.#widths[at] ?? 0))),
    );
    this.#query.io.stdout(formatTable([], padded));
  }
}
