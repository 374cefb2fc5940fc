import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";

/** Where one of the two listens and writes. */
export interface TwinPlaces {
  /** By the names that the test gave. */
  readonly ports: Readonly<Record<string, number>>;
  readonly adminPort: number;
  /** A file for access logs. */
  readonly logPath: string;
}

/** One data plane on the bootstrap of a test. */
export interface Twin extends TwinPlaces {
  readonly plane: DataPlane;
}

const FORMAT = "%REQ(X-CASE)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";

/** An access log that says of each request by its `x-case` header how it went, and `more`. */
export function caseLog(path: string, more = ""): object {
  const typedConfig = {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path,
    log_format: { text_format_source: { inline_string: `${FORMAT} ${more}\n` } },
  };
  return { name: "envoy.access_loggers.file", typed_config: typedConfig };
}

/** weft's proxy and, where it is there, Envoy, on the same bootstrap but for ports and paths. */
export class Twins {
  readonly #folder: string;
  readonly weft: Twin;
  /** `undefined` where this machine has none. */
  readonly envoy: Twin | undefined;

  private constructor(folder: string, weft: Twin, envoy: Twin | undefined) {
    this.#folder = folder;
    this.weft = weft;
    this.envoy = envoy;
  }

  static async start(
    names: readonly string[],
    bootstrap: (places: TwinPlaces) => object | string,
  ): Promise<Twins> {
    const folder = mkdtempSync(join(tmpdir(), "weft-twins-"));
    const place = async (name: string): Promise<TwinPlaces> => {
      const [adminPort = 0, ...ports] = await freePorts(names.length + 1);
      const byName = Object.fromEntries(names.map((one, at) => [one, ports[at] ?? 0]));
      return { ports: byName, adminPort, logPath: join(folder, `${name}.log`) };
    };
    const weftPlaces = await place("weft");
    const started = await startWeft(bootstrap(weftPlaces));
    await until(() => started.proxy.state === "LIVE", "weft to be ready");
    const weft = { ...weftPlaces, plane: started };
    const program = findProgram("envoy");
    if (program === undefined) return new Twins(folder, weft, undefined);
    const places = await place("envoy");
    const plane = await startEnvoy(program, bootstrap(places), places.adminPort);
    return new Twins(folder, weft, { ...places, plane });
  }

  get all(): readonly Twin[] {
    return this.envoy === undefined ? [this.weft] : [this.weft, this.envoy];
  }

  async stop(): Promise<void> {
    await this.weft.plane.stop();
    await this.envoy?.plane.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The lines that one of the twins has logged, once there are so many, in the order of their text. */
export async function logLines(twin: TwinPlaces, count: number): Promise<readonly string[]> {
  return until(() => {
    const lines = readFileSync(twin.logPath, "utf8").split("\n").filter(Boolean);
    return lines.length >= count ? lines.sort() : undefined;
  }, `${count} lines of access log`);
}

/** The statistics of one of the twins whose names begin so; those that are 0 are left out. */
export async function statsOf(
  { adminPort }: TwinPlaces,
  prefix: string,
): Promise<Readonly<Record<string, number>>> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats`);
  const lines = (await answer.text()).split("\n");
  const stats = lines.flatMap((line) => {
    const [name = "", value = ""] = line.split(": ");
    const number = Number(value);
    return name.startsWith(prefix) && number > 0 ? [[name, number] as const] : [];
  });
  return Object.fromEntries(stats.sort(([one], [two]) => one.localeCompare(two)));
}

/** What one of the twins tells Prometheus of metrics whose names contain `part`, in order. */
export async function metricsOf(
  { adminPort }: Pick<TwinPlaces, "adminPort">,
  part: string,
): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats/prometheus`);
  const lines = (await answer.text()).split("\n");
  return lines.filter((line) => line.includes(part)).sort();
}
