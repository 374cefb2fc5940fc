import { memoise } from "../../base/memo.ts";
import type { ExtensionProvider } from "../../config/extension-provider.ts";
import { clusterName } from "../cluster.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { CollectorHeader } from "../proxy-telemetry.ts";
import { portOf, type Service } from "../service.ts";
import type { Telemetry } from "../telemetry.ts";
import { providerNames } from "../telemetry.ts";

/** The provider of that name; case does not count, as in istiod. */
export function findProvider(
  { extensionProviders }: MeshSettings,
  name: string,
): ExtensionProvider | undefined {
  return extensionProviders.get(name) ?? byLowerCase(extensionProviders).get(name.toLowerCase());
}

const byLowerCase = memoise((providers: MeshSettings["extensionProviders"]) => {
  const found = new Map<string, ExtensionProvider>();
  for (const [name, provider] of providers) {
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), provider);
  }
  return found;
});

/** The part of a provider that says what it is. */
export type ProviderType = Exclude<keyof ExtensionProvider, "name">;

/** What a provider is; absent: it does not say. */
export function typeOf(provider: ExtensionProvider): ProviderType | undefined {
  return (Object.keys(provider) as (keyof ExtensionProvider)[]).find((key) => key !== "name") as
    | ProviderType
    | undefined;
}

/** Where a provider is served, or why nobody can tell. */
export type ProviderTarget =
  | {
      readonly hostname: string;
      readonly clusterName: string;
      readonly serviceId: string;
      /** Whether its port says that it speaks HTTP/2. */
      readonly isHttp2: boolean;
    }
  | { readonly problem: string };

/** By the names of those providers that a service serves. */
export type ProviderTargets = Readonly<Record<string, ProviderTarget>>;

/** Where the providers of spans and log entries are served. */
export function providerTargets(
  { extensionProviders }: MeshSettings,
  services: readonly Service[],
): ProviderTargets {
  const targets: Record<string, ProviderTarget> = {};
  for (const [name, provider] of extensionProviders) {
    const type = typeOf(provider);
    const settings = type === undefined ? undefined : provider[type];
    if (settings === undefined || !("service" in settings)) continue;
    const { service = "", port = 0 } = settings as { service?: string; port?: number };
    targets[name] = lookUp(services, service, port);
  }
  return targets;
}

function lookUp(services: readonly Service[], name: string, port: number): ProviderTarget {
  const [namespace, host, ...rest] = name.split("/");
  const isQualified = host !== undefined && rest.length === 0;
  const hostname = isQualified ? host : name;
  const found = (servicesByHost(services).get(hostname) ?? []).filter(
    (service) => !isQualified || service.namespace === namespace,
  );
  const [first, second] = found;
  if (first === undefined) return { problem: `there is no service "${name}"` };
  if (second !== undefined) {
    const namespaces = found.map((one) => one.namespace).sort();
    return {
      problem: `service "${name}" is in several namespaces (${namespaces.join(", ")}): say NAMESPACE/${name}`,
    };
  }
  const protocol = portOf(first, port)?.protocol;
  if (protocol === undefined) {
    const ports = first.ports.map(({ number }) => number).join(", ");
    return { problem: `${hostname} has no port ${port}: it has ${ports}` };
  }
  if (first.resolution === "passthrough") {
    return { problem: `${hostname} has no address of its own: say its endpoints` };
  }
  return {
    hostname,
    clusterName: clusterName(port, "", hostname),
    serviceId: first.id,
    isHttp2: ["grpc", "http2"].includes(protocol),
  };
}

/** Usually one each. */
export const servicesByHost = memoise((services: readonly Service[]) => {
  const byHost = new Map<string, Service[]>();
  for (const service of services) {
    const list = byHost.get(service.hostname);
    if (list === undefined) byHost.set(service.hostname, [service]);
    else list.push(service);
  }
  return byHost;
});

/** The providers that somebody asks for by name: as the mesh's default, or in a Telemetry. */
export function providersInUse(
  { defaultProviders }: MeshSettings,
  telemetries: readonly Telemetry[],
): readonly string[] {
  const names = new Set([...defaultProviders.tracing, ...defaultProviders.accessLogging]);
  for (const { tracing, accessLogging } of telemetries) {
    for (const entry of [...tracing, ...accessLogging]) {
      for (const name of providerNames(entry)) names.add(name);
    }
  }
  return [...names].sort();
}

type HttpHeader = NonNullable<
  NonNullable<NonNullable<ExtensionProvider["zipkin"]>["headers"]>[number]
>;

/** Headers for a collector; `envName` is a variable of the control plane's own environment. */
export function collectorHeaders(headers: readonly HttpHeader[] = []): readonly CollectorHeader[] {
  return headers.map(({ name, value, envName }) => ({
    name,
    value: value ?? process.env[envName ?? ""] ?? "",
  }));
}
