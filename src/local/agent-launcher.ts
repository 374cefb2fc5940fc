import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentConfig } from "../agent/agent-config.ts";
import { formatIssue } from "../base/issue.ts";
import type { ObjectMeta } from "../config/object.ts";
import { parseProxyConfigAnnotation } from "../config/proxy-config-annotation.ts";
import type { ProcessSpec } from "../runtime/container-process.ts";
import type { SidecarContext, SidecarLauncher } from "../runtime/sidecar-launcher.ts";
import { SIDECAR_CONTAINER } from "./inject-sidecar.ts";

const ADMIN_PORT = 15_000;
const HEALTH_PORT = 15_021;
/** As Istio's `terminationDrainDuration`. */
const DRAIN_MS = 5_000;
/** As in `bin/weft`: a larger young generation only costs memory. */
const HEAP_FLAGS = ["--max-semi-space-size=4"];
/** What an agent keeps of the server's environment. */
const INHERITED = ["PATH", "HOME", "LANG", "TZ"];

/** Istio's name of it: "false" goes back to the state of the world. */
const DELTA = "ISTIO_DELTA_XDS";

/** What all sidecars of a mesh have in common. */
export interface AgentLauncherOptions {
  readonly proxy: AgentConfig["proxy"];
  readonly envoyPath: string | undefined;
  /** The bundled `weft.js`. */
  readonly weftScript: string;
  /** `host:port`, asked when a sidecar starts. */
  readonly discoveryAddress: () => string;
  readonly logLevel: AgentConfig["logLevel"];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Starts every sidecar as `weft agent` in a process of its own. */
export class AgentLauncher implements SidecarLauncher {
  readonly containerName = SIDECAR_CONTAINER;
  readonly healthPort = HEALTH_PORT;
  readonly healthPath = "/healthz/ready";
  readonly drainMs = DRAIN_MS;
  readonly #options: AgentLauncherOptions;

  constructor(options: AgentLauncherOptions) {
    this.#options = options;
  }

  async prepare(context: SidecarContext): Promise<ProcessSpec> {
    const { env, weftScript } = this.#options;
    const file = join(context.directory, "agent.json");
    const config = JSON.stringify(this.#configOf(context), undefined, 2);
    await writeFile(file, `${config}\n`, { mode: 0o600 });
    return {
      command: [process.execPath, ...HEAP_FLAGS, weftScript, "agent", "--config", file],
      env: Object.fromEntries(
        INHERITED.flatMap((name) => {
          const value = env[name];
          return value === undefined ? [] : [[name, value] as const];
        }),
      ),
      workingDir: context.directory,
    };
  }

  #asksForDelta(): boolean {
    const value = this.#options.env[DELTA] ?? "true";
    if (value === "true" || value === "false") return value === "true";
    throw new Error(`${DELTA} is "${value}" and must be "true" or "false"`);
  }

  #configOf({ pod, addresses, hasApp, hostPorts, directory }: SidecarContext): AgentConfig {
    const { proxy, envoyPath, discoveryAddress, logLevel } = this.#options;
    const { metadata, spec } = pod;
    const templates = metadata.annotations?.["inject.istio.io/templates"] ?? "";
    const proxyConfig = proxyConfigOf(metadata.annotations);
    const isRouter = !hasApp || templates.split(",").includes("gateway");
    return {
      proxy,
      ...(envoyPath === undefined ? {} : { envoyPath }),
      type: isRouter ? "router" : "sidecar",
      podName: metadata.name,
      namespace: metadata.namespace ?? "default",
      podIp: addresses.podIp,
      ...(isRouter ? {} : { appAddress: addresses.appAddress }),
      serviceAccount: spec.serviceAccountName ?? "default",
      labels: metadata.labels ?? {},
      ...(proxyConfig === undefined ? {} : { proxyConfig }),
      hostPorts,
      discoveryAddress: discoveryAddress(),
      deltaXds: this.#asksForDelta(),
      directory,
      adminPort: ADMIN_PORT,
      healthPort: HEALTH_PORT,
      logLevel,
      drainMs: DRAIN_MS,
    };
  }
}

/** As Istio's injector, which turns the pod away for an annotation that it cannot read. */
function proxyConfigOf(annotations: ObjectMeta["annotations"]): AgentConfig["proxyConfig"] {
  const parsed = parseProxyConfigAnnotation(annotations);
  if (parsed?.ok === false) throw new Error(parsed.issues.map(formatIssue).join("; "));
  return parsed?.value;
}
