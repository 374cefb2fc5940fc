import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { CliError } from "../cli/command.ts";
import { checkSeconds } from "./check-seconds.ts";

/** Envoy's. */
const PARENT_SHUTDOWN_S = 900;
/** So many can be told apart on one machine. */
const BASE_ID_MAX = 2 ** 31 - 1;

/** What `weft proxy` takes for hot restart, under Envoy's names. */
export const HOT_RESTART_FLAGS = {
  "restart-epoch": {
    value: "N",
    help: "take over from the process of epoch N-1; 0 begins anew (default 0)",
  },
  "base-id": { value: "N", help: "tells proxies of one machine apart that are restarted hot" },
  "use-dynamic-base-id": { help: "choose a base id that is free, for epoch 0" },
  "base-id-path": { value: "FILE", help: "write the base id there" },
  "parent-shutdown-time-s": {
    value: "S",
    help: `when the process before is told to end (default ${PARENT_SHUTDOWN_S})`,
  },
  "socket-path": {
    value: "PATH",
    help: "where processes meet; base id and epoch are appended (default in the temporary folder)",
  },
  "skip-hot-restart-on-no-parent": { help: "begin anew when there is nobody to take over from" },
  "skip-hot-restart-parent-stats": { help: "do not count what the process before still counts" },
  "disable-hot-restart": { help: "no hot restart, whatever else is said" },
} as const;

/** Hot restart, as it was asked for. */
export interface HotRestartOptions {
  readonly socketPath: string;
  /** `undefined`: one that is free. */
  readonly baseId: number | undefined;
  readonly baseIdPath: string | undefined;
  readonly epoch: number;
  readonly parentShutdownMs: number;
  readonly skipsMissingParent: boolean;
  readonly skipsParentStats: boolean;
}

type Values = { readonly [Name in keyof typeof HOT_RESTART_FLAGS]?: string | boolean | undefined };

/** `undefined` where nothing is said of it: Envoy does it unasked, and then only once on a machine. */
export function readHotRestart(flags: Values): HotRestartOptions | undefined {
  const text = (name: keyof Values): string | undefined => flags[name] as string | undefined;
  const baseId = checkNumber("base-id", text("base-id"));
  const epoch = checkNumber("restart-epoch", text("restart-epoch"));
  const isDynamic = flags["use-dynamic-base-id"] === true;
  const parentShutdownS = checkSeconds(
    "parent-shutdown-time-s",
    text("parent-shutdown-time-s"),
    PARENT_SHUTDOWN_S,
  );
  if (flags["disable-hot-restart"] === true) return undefined;
  if (isDynamic && (epoch ?? 0) > 0) {
    throw new CliError(
      "--use-dynamic-base-id cannot be used with --restart-epoch: name the --base-id of the process to take over from",
    );
  }
  if (baseId === undefined && epoch === undefined && !isDynamic) return undefined;
  return {
    socketPath: checkPath(text("socket-path")),
    baseId: isDynamic ? undefined : (baseId ?? 0),
    baseIdPath: text("base-id-path"),
    epoch: epoch ?? 0,
    parentShutdownMs: parentShutdownS * 1000,
    skipsMissingParent: flags["skip-hot-restart-on-no-parent"] === true,
    skipsParentStats: flags["skip-hot-restart-parent-stats"] === true,
  };
}

function checkNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text !== "" && Number.isInteger(number) && number >= 0 && number <= BASE_ID_MAX)
    return number;
  throw new CliError(`--${flag} ${text} is no number from 0 to ${BASE_ID_MAX}`);
}

function checkPath(path: string | undefined): string {
  if (path === undefined) return join(tmpdir(), `weft-${userInfo().uid}`, "hot-restart");
  if (!path.startsWith("@")) return path;
  throw new CliError(
    `--socket-path ${path}: an abstract socket is open to everybody on the machine, give a path in a folder of your own`,
  );
}
