/**
 * Istio's tables of traffic cases (`routing/integration-tables.jsonl`), as far as apps of a mesh
 * without capture can make their calls: by name, through their proxy, or at the gateway.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import { ECHO_PORTS, GATEWAY_LABEL } from "./echo-world.ts";
import { renderTemplate } from "./go-template.ts";
import type { Answer } from "./mesh-client.ts";

const file = fileURLToPath(
  new URL("../../../shared/cases/routing/integration-tables.jsonl", import.meta.url),
);

/** A value of Go as it was recorded: literals, and `$call`, `$ref`, `$func`, `$expr` for the rest. */
export type Recorded = unknown;
type Fields = Readonly<Record<string, Recorded>>;

/** One table. */
export interface Table {
  /** From 1, as the lines of the file are. */
  readonly number: number;
  readonly func: string;
  readonly line: number;
  readonly rows: readonly Fields[];
}

/** All tables; `undefined` where they are not there. */
export function readTables(): readonly Table[] | undefined {
  if (!existsSync(file)) return undefined;
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line, at) => ({ ...(JSON.parse(line) as Omit<Table, "number">), number: at + 1 }));
}

/** A recorded literal; what was none is written as it was recorded. */
export function text(recorded: Recorded, whenAbsent = ""): string {
  if (recorded === undefined || recorded === null) return whenAbsent;
  return typeof recorded === "string" ? recorded : JSON.stringify(recorded);
}

/** Runs the calls of a row as they were recorded, to one service; every problem as a sentence. */
export async function runRow(
  mesh: BehaviourMesh,
  row: Fields,
  dst: string,
): Promise<readonly string[]> {
  await mesh.configure(renderTemplate(text(row["config"]), variables(dst)));
  if (mesh.rejections().length > 0) return mesh.rejections();
  const children = row["children"] as readonly Fields[] | undefined;
  const calls = children ?? [row];
  const problems: string[] = [];
  for (const call of calls) {
    const options = call["opts"] as Fields;
    problems.push(
      ...(await runCall(mesh, options, dst)).map((one) => `${text(call["name"])}: ${one}`),
    );
  }
  return problems;
}

/** What Istio's framework gives to templates. */
export function variables(dst: string, more: Fields = {}): Fields {
  return {
    dstSvc: dst,
    dst: [{ Config: { Service: dst } }],
    dstSvcs: ["b", "c", "d"],
    GatewayIstioLabel: GATEWAY_LABEL,
    ...more,
  };
}

const METHOD_DEFAULT = "GET";

/** One call of an app to a service, by the name of its port. */
export async function runCall(
  mesh: BehaviourMesh,
  options: Fields,
  dst: string,
): Promise<readonly string[]> {
  const http = (options["HTTP"] ?? {}) as Fields;
  const name = text((options["Port"] as Fields | undefined)?.["Name"], "http");
  const port = ECHO_PORTS.find((one) => one.name === name)?.port;
  if (port === undefined) throw new Error(`no port ${name}`);
  const path = text(http["Path"], "/");
  const asked = hostHeader(http["Headers"]) ?? dst;
  // To a proxy the URL says the host, and with it the port: there is no address that was meant.
  const host = port === 80 || asked.includes(":") ? asked : `${asked}:${port}`;
  const method = text(http["Method"], METHOD_DEFAULT);
  let url = `http://${host}${path}`;
  let answer = await mesh.send("client", `${method} ${url}`);
  if (http["FollowRedirects"] === true && answer.headers.location !== undefined) {
    url = new URL(answer.headers.location, url).href;
    answer = await mesh.send("client", `${method} ${url}`);
  }
  return check(options["Check"], answer, { Hostname: dst });
}

function hostHeader(recorded: Recorded): string | undefined {
  if (recorded === undefined) return undefined;
  const { $call, args } = recorded as { $call: string; args: readonly unknown[] };
  if ($call === "HostHeader") return String(args[0]);
  throw new Error(`cannot read headers of ${$call}`);
}

const STATUS: Readonly<Record<string, number>> = {
  "http.StatusOK": 200,
  "http.StatusMovedPermanently": 301,
  "http.StatusForbidden": 403,
  "http.StatusNotFound": 404,
  "http.StatusTeapot": 418,
  "http.StatusServiceUnavailable": 503,
};

type Check = (answer: Answer, args: readonly unknown[], vars: Fields) => readonly string[];

function differs(what: string, got: unknown, want: unknown): readonly string[] {
  return got === want ? [] : [`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`];
}

const CHECKS: Readonly<Record<string, Check>> = {
  "check.And": (answer, args, vars) => args.flatMap((one) => check(one, answer, vars)),
  "check.OK": ({ error, status }) => differs("status", error ?? status, 200),
  "check.NotOK": ({ status }) => (status === 200 ? ["status is 200"] : []),
  "check.Status": ({ error, status }, [wanted]) =>
    differs("status", error ?? status, STATUS[(wanted as { $ref: string }).$ref]),
  "check.RequestHeader": ({ echo }, [name, value]) =>
    differs(`header ${text(name)}`, echo?.headers[text(name).toLowerCase()] ?? "", value),
  "check.Host": ({ echo }, [host]) => differs("host", echo?.headers.host, host),
  "check.URL": ({ echo }, [url]) => differs("url", echo?.path, url),
  "check.Protocol": ({ echo }, [protocol]) =>
    differs("protocol", `HTTP/${echo?.httpVersion ?? "?"}`, protocol),
  LocationHeader: ({ headers }, [location], vars) =>
    differs("location", headers.location, renderTemplate(text(location), vars)),
};

/** Holds an answer to a recorded check; throws for one that is not known. */
export function check(recorded: Recorded, answer: Answer, vars: Fields = {}): readonly string[] {
  const { $call, args } = recorded as { $call: string; args: readonly unknown[] | null };
  const known = CHECKS[$call];
  if (known === undefined) throw new Error(`cannot check ${$call}`);
  return known(answer, args ?? [], vars);
}
