import type { Pod } from "../config/pod.ts";
import type { Container } from "../config/pod-spec.ts";
import type { PodAddresses } from "./pod-network.ts";

/** The port of a sidecar's explicit HTTP proxy. */
const HTTP_PROXY_PORT = 15002;

/** What a process keeps of the server's own environment; the rest may be secret or misleading. */
const INHERITED = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ"];

type Env = Readonly<Record<string, string>>;

/** What the environment of a container depends on beside its spec. */
export interface EnvContext {
  readonly addresses: PodAddresses;
  /** Whether the pod's traffic goes through a sidecar. */
  readonly hasSidecar: boolean;
  /** `TMPDIR`, when a volume is mounted at /tmp. */
  readonly tmpDirectory?: string;
  readonly serverEnv: Readonly<Record<string, string | undefined>>;
}

/** A container's environment, or the path and reason of what cannot be given. */
export interface EnvResult {
  readonly env: Env;
  readonly problems: readonly string[];
}

/**
 * Builds the environment of one container: what is inherited, what portable mode tells the app, the
 * catalogue's part, and on top what the container's own spec says.
 */
export function buildEnv(
  pod: Pod,
  container: Container,
  catalogueEnv: Env,
  context: EnvContext,
): EnvResult {
  const inherited = Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = context.serverEnv[name];
      return value === undefined ? [] : [[name, value]];
    }),
  ) as Env;
  const env: Record<string, string> = {
    ...inherited,
    ...portableEnv(pod, container, context),
    ...catalogueEnv,
  };
  const problems: string[] = [];
  // `$(NAME)` sees what stands before it in the list.
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (valueFrom === undefined) {
      env[name] = expandVariables(value ?? "", env);
      continue;
    }
    const path = valueFrom.fieldRef?.fieldPath;
    const found = path === undefined ? undefined : readField(pod, path, context.addresses);
    if (found === undefined) {
      problems.push(
        path === undefined
          ? `env "${name}": only fieldRef is built of valueFrom`
          : `env "${name}": field "${path}" of a pod is not available here`,
      );
    } else env[name] = found;
  }
  return { env, problems };
}

function portableEnv(pod: Pod, container: Container, context: EnvContext): Env {
  const { podIp, appAddress } = context.addresses;
  const port = container.ports?.[0]?.containerPort;
  const proxy = `http://${podIp}:${HTTP_PROXY_PORT}`;
  const noProxy = [...new Set(["localhost", "127.0.0.1", podIp, appAddress])].join(",");
  return {
    HOSTNAME: pod.metadata.name,
    WEFT_BIND: context.hasSidecar ? appAddress : podIp,
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...(context.tmpDirectory === undefined ? {} : { TMPDIR: context.tmpDirectory }),
    ...(context.hasSidecar
      ? {
          http_proxy: proxy,
          HTTP_PROXY: proxy,
          https_proxy: proxy,
          HTTPS_PROXY: proxy,
          no_proxy: noProxy,
          NO_PROXY: noProxy,
        }
      : {}),
  };
}

/** Kubernetes' expansion: `$(NAME)` of a known name, `$$` for one `$`; the rest stays. */
export function expandVariables(text: string, env: Env): string {
  return text.replaceAll(/\$\$|\$\(([A-Za-z_.-][\w.-]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? whole),
  );
}

function readField(pod: Pod, path: string, { podIp }: PodAddresses): string | undefined {
  const { metadata, spec } = pod;
  const entry = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (entry !== null) {
    const map = entry[1] === "labels" ? metadata.labels : metadata.annotations;
    return map?.[entry[2] ?? ""] ?? "";
  }
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "default";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return podIp;
    case "status.hostIP":
    case "status.hostIPs":
      return "127.0.0.1";
    default:
      return undefined;
  }
}
