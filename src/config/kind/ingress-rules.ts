import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { isDnsLabel, isDnsSubdomain } from "../format.ts";
import type { Ingress, IngressBackend, IngressPath, IngressTls } from "../ingress.ts";
import type { IngressClass } from "../ingress-class.ts";

/** The annotation that named the class before `spec.ingressClassName` was there. */
export const INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class";

type IngressSpec = NonNullable<Ingress["spec"]>;

/** What Kubernetes refuses about an Ingress beyond its schema. */
export function validateIngress(
  spec: IngressSpec,
  annotations: Readonly<Record<string, string>> = {},
): readonly Issue[] {
  const issues: Issue[] = [];
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined) {
    issues.push({ path: "spec", message: "must have rules or a defaultBackend" });
  }
  if (defaultBackend !== undefined) {
    issues.push(...validateBackend(defaultBackend, "spec.defaultBackend"));
  }
  if (ingressClassName !== undefined && !isDnsSubdomain(ingressClassName)) {
    const message = `must be the name of an IngressClass: got "${ingressClassName}"`;
    issues.push({ path: "spec.ingressClassName", message });
  }
  if (ingressClassName !== undefined && annotations[INGRESS_CLASS_ANNOTATION] !== undefined) {
    issues.push({
      path: `metadata.annotations[${INGRESS_CLASS_ANNOTATION}]`,
      message: "may not be set beside spec.ingressClassName: leave the annotation out",
    });
  }
  for (const [at, one] of tls.entries()) issues.push(...validateTls(one, `spec.tls[${at}]`));
  for (const [at, { host = "", http }] of rules.entries()) {
    const path = `spec.rules[${at}]`;
    issues.push(...checkHost(host, `${path}.host`));
    if (http === undefined) continue;
    if (http.paths.length === 0) {
      issues.push({ path: `${path}.http.paths`, message: "must not be empty" });
    }
    for (const [index, one] of http.paths.entries()) {
      issues.push(...validatePath(one, `${path}.http.paths[${index}]`));
    }
  }
  return issues;
}

function validateTls({ hosts = [], secretName = "" }: IngressTls, path: string): readonly Issue[] {
  const issues = hosts.flatMap((host, at) => checkHost(host, `${path}.hosts[${at}]`));
  if (secretName !== "" && !isDnsSubdomain(secretName)) {
    const message = `must be the name of a Secret: got "${secretName}"`;
    return [...issues, { path: `${path}.secretName`, message }];
  }
  return issues;
}

/** A name without a port; `*` only as the whole first label. */
function checkHost(host: string, path: string): readonly Issue[] {
  if (host === "") return [];
  if (isIP(host) !== 0) {
    return [{ path, message: `must be a DNS name, not an IP address: got "${host}"` }];
  }
  const name = host.startsWith("*.") ? host.slice(2) : host;
  if (isDnsSubdomain(name)) return [];
  return [{ path, message: `must be a DNS name, with "*." before it at most: got "${host}"` }];
}

/** What a path may not have, so that its meaning does not depend on who normalises it. */
const AMBIGUOUS = ["//", "/./", "/../", "%2f", "%2F"];
const AMBIGUOUS_ENDS = ["/..", "/."];

function validatePath({ path = "", pathType, backend }: IngressPath, at: string): readonly Issue[] {
  const issues: Issue[] = [];
  if (
    pathType === "ImplementationSpecific"
      ? path !== "" && !path.startsWith("/")
      : !path.startsWith("/")
  ) {
    issues.push({ path: `${at}.path`, message: `must start with "/": got "${path}"` });
  } else if (pathType !== "ImplementationSpecific") {
    const found =
      AMBIGUOUS.find((part) => path.includes(part)) ??
      AMBIGUOUS_ENDS.find((end) => path.endsWith(end));
    if (found !== undefined) {
      issues.push({ path: `${at}.path`, message: `must not have "${found}": got "${path}"` });
    }
  }
  return [...issues, ...validateBackend(backend, `${at}.backend`)];
}

function validateBackend({ service, resource }: IngressBackend, path: string): readonly Issue[] {
  if (service !== undefined && resource !== undefined) {
    return [{ path, message: "may have only one of service, resource: leave one out" }];
  }
  if (resource !== undefined) {
    const issues: Issue[] = [];
    if (resource.kind === "")
      issues.push({ path: `${path}.resource.kind`, message: "is required" });
    if (resource.name === "")
      issues.push({ path: `${path}.resource.name`, message: "is required" });
    return issues;
  }
  if (service === undefined) return [{ path, message: "must have a service or a resource" }];
  return validateService(service, `${path}.service`);
}

function validateService(
  { name, port = {} }: NonNullable<IngressBackend["service"]>,
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  if (!isDnsLabel(name) || /^\d/.test(name)) {
    issues.push({ path: `${path}.name`, message: `must be the name of a Service: got "${name}"` });
  }
  const { name: portName = "", number = 0 } = port;
  if (portName !== "" && number !== 0) {
    issues.push({ path: `${path}.port`, message: "may have only one of name, number" });
  } else if (portName !== "") {
    if (
      !/^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/.test(portName) ||
      portName.includes("--")
    ) {
      const message = `must be the name of a port, 15 characters at most: got "${portName}"`;
      issues.push({ path: `${path}.port.name`, message });
    }
  } else if (number === 0 && port.number === undefined) {
    issues.push({ path: `${path}.port`, message: "must have a name or a number" });
  } else if (number < 1 || number > 65_535) {
    const message = `must be between 1 and 65535: got ${number}`;
    issues.push({ path: `${path}.port.number`, message });
  }
  return issues;
}

/** What Kubernetes refuses about an IngressClass beyond its schema. */
export function validateIngressClass(spec: IngressClass["spec"]): readonly Issue[] {
  const { controller = "", parameters } = spec ?? {};
  const issues: Issue[] = [];
  const slash = controller.indexOf("/");
  if (
    slash === -1 ||
    slash === controller.length - 1 ||
    !isDnsSubdomain(controller.slice(0, slash))
  ) {
    const message = `must be a domain and a path, like "istio.io/ingress-controller": got "${controller}"`;
    issues.push({ path: "spec.controller", message });
  }
  if (parameters === undefined) return issues;
  const { scope = "Cluster", namespace = "" } = parameters;
  const path = "spec.parameters.namespace";
  if (scope === "Namespace" && !isDnsLabel(namespace)) {
    issues.push({ path, message: `must be a namespace for scope Namespace: got "${namespace}"` });
  } else if (scope === "Cluster" && namespace !== "") {
    issues.push({ path, message: `may not be set for scope Cluster: got "${namespace}"` });
  }
  return issues;
}
