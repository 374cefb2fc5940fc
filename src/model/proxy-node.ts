import { parseDurationMs } from "../base/duration.ts";
import { isIPv4, isIPv6 } from "../base/ip.ts";
import type { Issue, Result } from "../base/issue.ts";
import { CALLED_HOSTS_MAX, parseCalledHost } from "./called-hosts.ts";
import type { Labels } from "./labels.ts";
import type { ProxyNode } from "./proxy.ts";

/** A node as discovery requests carry it, as plain JSON: an id and free-form metadata. */
export interface NodeRecord {
  readonly id: string;
  readonly cluster?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly locality?: {
    readonly region?: string;
    readonly zone?: string;
    readonly sub_zone?: string;
  };
}

/** The only cluster there is, until there are several. */
const CLUSTER_ID_DEFAULT = "Kubernetes";

/** Where apps find the explicit proxy of a sidecar that nothing is captured for. */
const HTTP_PROXY_PORT = 15_002;

/** What weft's own agent tells begins with this. */
const WEFT_AGENT = "WEFT_";

function httpProxyPortOf(mode: ProxyNode["interceptionMode"]): number | undefined {
  return mode === "NONE" ? HTTP_PROXY_PORT : undefined;
}

/** Reads a proxy's introduction, `type~ip~pod.namespace~domain` and metadata. */
export function decodeProxyNode({
  id,
  cluster = "",
  metadata = {},
  locality,
}: NodeRecord): Result<ProxyNode> {
  const [type, ip = "", podAndNamespace = "", dnsDomain = "", ...rest] = id.split("~");
  const dot = podAndNamespace.lastIndexOf(".");
  if ((type !== "sidecar" && type !== "router") || dot < 1 || dnsDomain === "" || rest.length > 0) {
    const message = `node id "${id}" is not of the form sidecar|router~ip~pod.namespace~domain`;
    return { ok: false, issues: [{ path: "node.id", message }] };
  }
  const issues: Issue[] = [];
  if (!isIPv4(ip) && !isIPv6(ip)) {
    issues.push({ path: "node.id", message: `"${ip}" is not an IP address` });
  }
  const read = new MetadataReader(metadata, issues);
  const interceptionMode = read.interceptionMode("INTERCEPTION_MODE");
  const isWeft = read.text("WEFT_PROXY") === "weft";
  const node: ProxyNode = {
    id,
    serviceCluster: cluster,
    type,
    ip,
    ips: [ip, ...read.texts("INSTANCE_IPS").filter((other) => other !== ip)],
    name: podAndNamespace.slice(0, dot),
    namespace: read.text("NAMESPACE") ?? podAndNamespace.slice(dot + 1),
    dnsDomain,
    labels: read.labels("LABELS"),
    serviceAccount: read.text("SERVICE_ACCOUNT") ?? "default",
    clusterId: read.text("CLUSTER_ID") ?? CLUSTER_ID_DEFAULT,
    network: read.text("NETWORK") ?? "",
    nodeName: read.text("NODE_NAME") ?? "",
    locality: localityOf(locality),
    interceptionMode,
    httpProxyPort: read.proxyPort("HTTP_PROXY_PORT") ?? httpProxyPortOf(interceptionMode),
    answersDns: read.text("DNS_CAPTURE") === "true",
    isWeft,
    ...agentOf(read, metadata, interceptionMode),
    takesHttp10: read.text("HTTP10") === "1",
    idleTimeoutMs: read.duration("IDLE_TIMEOUT"),
    appAddress: read.text("WEFT_APP_ADDRESS"),
    hostPorts: read.hostPorts("WEFT_HOST_PORTS"),
    isUnprivileged: read.text("UNPRIVILEGED_POD") === "true",
    calledHosts: read.calledHosts("WEFT_CALLED_HOSTS"),
    proxyConfig: read.record("PROXY_CONFIG"),
  };
  return issues.length === 0 ? { ok: true, value: node } : { ok: false, issues };
}

type OfAgent = "hasWeftAgent" | "hasCertificates" | "istioMinor";

/** Which agent a proxy has, and what follows from that. */
function agentOf(
  read: MetadataReader,
  metadata: Readonly<Record<string, unknown>>,
  mode: ProxyNode["interceptionMode"],
): Pick<ProxyNode, OfAgent | "annotations" | "workloadName" | "meshId"> {
  const hasWeftAgent = Object.keys(metadata).some((name) => name.startsWith(WEFT_AGENT));
  const version = read.text("ISTIO_VERSION");
  return {
    hasWeftAgent,
    // Istio's says its version. A proxy that is captured has one in any case: somebody wrote its
    // netfilter rules.
    hasCertificates: !hasWeftAgent && (mode !== "NONE" || version !== undefined),
    istioMinor: hasWeftAgent ? undefined : minorOf(version),
    annotations: read.labels("ANNOTATIONS"),
    workloadName: read.text("WORKLOAD_NAME") ?? "",
    meshId: read.text("MESH_ID") ?? "",
  };
}

/** Of Istio's versions the second number says what a proxy can do. */
function minorOf(version = ""): number | undefined {
  const minor = /^1\.(\d{1,3})(?:\.|-|$)/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

function localityOf(locality: NodeRecord["locality"]): ProxyNode["locality"] {
  const { region = "", zone = "", sub_zone: subzone = "" } = locality ?? {};
  return { region, zone, subzone };
}

/** Reads fields of a proxy's metadata, noting all that is wrong with them. */
class MetadataReader {
  readonly #metadata: Readonly<Record<string, unknown>>;
  readonly #issues: Issue[];

  constructor(metadata: Readonly<Record<string, unknown>>, issues: Issue[]) {
    this.#metadata = metadata;
    this.#issues = issues;
  }

  text(name: string): string | undefined {
    const value = this.#metadata[name];
    if (value === undefined || typeof value === "string") return value;
    this.#refuse(name, "is not text");
    return undefined;
  }

  proxyPort(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === "") return undefined;
    if (/^[0-9]{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
    this.#refuse(name, `is "${value}", not a port`);
    return undefined;
  }

  /** A span of time in milliseconds. */
  duration(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === "") return undefined;
    const ms = parseDurationMs(value);
    if (ms === undefined) this.#refuse(name, `is "${value}", not a duration such as 10s`);
    return ms;
  }

  /** Comma-separated texts; none when absent. */
  texts(name: string): readonly string[] {
    return (this.text(name) ?? "").split(",").filter((part) => part !== "");
  }

  /** `routes/host`, comma-separated. */
  calledHosts(name: string): readonly string[] {
    const names = this.texts(name).map((text) => text.trim().toLowerCase());
    const wrong = names.find((text) => parseCalledHost(text) === undefined);
    if (wrong !== undefined) {
      this.#refuse(name, `has "${wrong}", not the name of routes and a host such as 9080/reviews`);
    } else if (names.length > CALLED_HOSTS_MAX) {
      this.#refuse(name, `has ${names.length} hosts, more than ${CALLED_HOSTS_MAX}`);
    }
    return names;
  }

  record(name: string): Readonly<Record<string, unknown>> {
    const value = this.#metadata[name] ?? {};
    if (isRecord(value)) return value;
    this.#refuse(name, "is not an object");
    return {};
  }

  labels(name: string): Labels {
    const value = this.#metadata[name];
    if (value === undefined) return {};
    if (isRecord(value) && Object.values(value).every((label) => typeof label === "string")) {
      return value as Labels;
    }
    this.#refuse(name, "is not a map of text to text");
    return {};
  }

  interceptionMode(name: string): ProxyNode["interceptionMode"] {
    // Absent means redirection, Istio's default.
    const mode = this.text(name) ?? "REDIRECT";
    if (mode === "NONE" || mode === "REDIRECT" || mode === "TPROXY") return mode;
    this.#refuse(name, `is "${mode}", must be NONE, REDIRECT or TPROXY`);
    return "REDIRECT";
  }

  hostPorts(name: string): ProxyNode["hostPorts"] {
    const value = this.#metadata[name] ?? [];
    if (Array.isArray(value) && value.every(isHostPort)) return value;
    this.#refuse(name, "is not a list of {containerPort, hostIp, hostPort}");
    return [];
  }

  #refuse(name: string, message: string): void {
    this.#issues.push({ path: `node.metadata.${name}`, message });
  }
}

function isHostPort(value: unknown): value is ProxyNode["hostPorts"][number] {
  return (
    isRecord(value) &&
    typeof value["containerPort"] === "number" &&
    typeof value["hostIp"] === "string" &&
    typeof value["hostPort"] === "number"
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
