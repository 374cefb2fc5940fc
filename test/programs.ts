import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = dirname(dirname(fileURLToPath(import.meta.url)));

/** Somebody else's programs that tests are held against. */
export type Program =
  | "envoy"
  | "ip"
  | "nft"
  | "kubectl"
  | "wrk"
  | "h2load"
  | "h2spec"
  | "curl"
  | "go-control-plane"
  | "istiod"
  | "openssl"
  | "python3"
  | "nginx"
  | "haproxy"
  | "taskset"
  | "strace"
  | "cc"
  | "istioctl"
  | "grpc-interop-client"
  | "grpc-interop-server"
  | "prometheus"
  | "promtool"
  | "etcd"
  | "kube-apiserver";

/**
 * The path of a program, or `undefined` where this machine lacks it: the tests that need it are
 * skipped then, and the runner says so. Envoy is also looked for in `ENVOY_PATH` and where
 * `npm run envoy` puts it, and what is built from Go modules where the scripts of those names put
 * it. A program that
 * `WEFT_TEST_REQUIRE` lists must be there.
 */
export function findProgram(program: Program): string | undefined {
  const found = candidates(program).find(isExecutable);
  if (found !== undefined) return found;
  const required = (process.env["WEFT_TEST_REQUIRE"] ?? "").split(" ");
  if (required.includes(program)) throw new Error(`${program} is required and was not found`);
  process.stderr.write(`skipped: what needs ${program}, which is not on this machine\n`);
  return undefined;
}

/** Where Kubernetes' own programs stand once they have been built. */
export const KUBERNETES_BIN = join(repository, ".cache", "kubernetes", "bin");

/**
 * The script that starts a real Kubernetes control plane, which builds it first where that was not
 * done yet: some minutes, which is why it is not, unless `WEFT_TEST_REQUIRE` lists `kubernetes`.
 * `undefined` where something is missing.
 */
export function findKubernetes(): string | undefined {
  const script = join(repository, "..", "shared", "tools", "kubernetes", "up.sh");
  const isRequired = (process.env["WEFT_TEST_REQUIRE"] ?? "").split(" ").includes("kubernetes");
  const isThere = (program: Program): boolean => candidates(program).some(isExecutable);
  const missing = [
    ...(existsSync(script) ? [] : ["../shared/tools, which is not beside this clone"]),
    ...(["etcd", "kubectl"] as const).filter((program) => !isThere(program)),
    ...(isRequired || isThere("kube-apiserver") ? [] : ["its binaries"]),
  ];
  if (missing.length === 0) return script;
  const what = `a real Kubernetes API, which lacks ${missing.join(", ")}`;
  if (isRequired) throw new Error(`kubernetes is required: there cannot be ${what}`);
  process.stderr.write(`skipped: what needs ${what}\n`);
  return undefined;
}

/**
 * Python with gRPC's C core, where `npm run grpcio` has put it: the program, and the folder that its
 * packages stand in. `undefined` where either is missing.
 */
export function findGrpcCore(): { readonly python: string; readonly packages: string } | undefined {
  const packages = join(repository, ".cache", "grpcio");
  const python = candidates("python3").find(isExecutable);
  if (python !== undefined && existsSync(join(packages, "grpc"))) return { python, packages };
  process.stderr.write("skipped: what needs gRPC's C core, which is not on this machine\n");
  return undefined;
}

/** The folder of the peers' cases beside the repository, or `undefined` where it is missing. */
export function findCases(): string | undefined {
  const folder = join(repository, "..", "shared", "cases");
  if (existsSync(folder)) return folder;
  process.stderr.write(
    "skipped: tests that need ../shared/cases, which is not beside this clone\n",
  );
  return undefined;
}

/** Built from Go modules by the scripts of their names. */
const BUILT_HERE: ReadonlyMap<Program, string> = new Map([
  ["go-control-plane", "go-control-plane/go-control-plane"],
  ["istiod", "istiod/istiod"],
  ["istioctl", "istioctl/istioctl"],
  ["h2spec", "h2spec/h2spec"],
  ["grpc-interop-client", "grpc-interop/client"],
  ["grpc-interop-server", "grpc-interop/server"],
]);

function candidates(program: Program): string[] {
  const onPath = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program));
  const built = BUILT_HERE.get(program);
  if (built !== undefined) return [join(repository, ".cache", built)];
  if (program === "kube-apiserver") return [join(KUBERNETES_BIN, program)];
  if (program !== "envoy") return onPath;
  const named = process.env["ENVOY_PATH"];
  return [
    ...(named === undefined ? [] : [named]),
    ...onPath,
    join(repository, ".cache", "envoy", "envoy", "_bin", "envoy"),
  ];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
