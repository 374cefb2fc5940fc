import type { Issue } from "../base/issue.ts";
import { suggest } from "../base/suggest.ts";
import { isDnsLabel } from "./format.ts";
import { checkWildcardDomain } from "./host.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject, validateLabels } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  boolean,
  builtFor,
  map,
  notBuilt,
  object,
  port,
  required,
  string,
} from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";

const tls = object({
  httpsRedirect: builtFor(boolean(), [false]),
  mode: notBuilt(),
  serverCertificate: notBuilt(),
  privateKey: notBuilt(),
  caCertificates: notBuilt(),
  caCrl: notBuilt(),
  subjectAltNames: notBuilt(),
  credentialName: notBuilt(),
  credentialNames: notBuilt(),
  caCertCredentialName: notBuilt(),
  tlsCertificates: notBuilt(),
  verifyCertificateSpki: notBuilt(),
  verifyCertificateHash: notBuilt(),
  minProtocolVersion: notBuilt(),
  maxProtocolVersion: notBuilt(),
  cipherSuites: notBuilt(),
});

const server = object({
  name: string(),
  port: required(
    object({
      number: required(port({ description: "Of the gateway's Service, or of its pods." })),
      name: required(string({ minLength: 1 })),
      protocol: required(string({ description: "HTTP, HTTP2, ..." })),
      targetPort: notBuilt(),
    }),
  ),
  hosts: required(array(string(), { minItems: 1, description: "`host` or `namespace/host`." })),
  tls,
  bind: notBuilt(),
  defaultEndpoint: notBuilt(),
});

const schema = kubeObject(
  {
    spec: required(
      object({
        selector: map(string(), { description: "Labels of the gateway's pods." }),
        servers: required(array(server, { minItems: 1 })),
      }),
    ),
    status: istioStatusSchema,
  },
  "Which ports and hosts a gateway's pods serve.",
);

/** networking.istio.io Gateway. */
export type Gateway = Infer<typeof schema>;

/** The kind `networking.istio.io Gateway`. */
export const gatewayKind = defineKind<Gateway>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "Gateway",
  plural: "gateways",
  shortNames: ["gw"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN],
  validate: validateGateway,
});

const PROTOCOLS = ["HTTP", "HTTP2", "HTTPS", "GRPC", "GRPC-WEB", "MONGO", "TCP", "TLS"];
const PROTOCOLS_BUILT = ["HTTP", "HTTP2"];

function validateGateway({ spec }: Gateway): readonly Issue[] {
  const issues = [...validateLabels("spec.selector", spec.selector)];
  const names = new Set<string>();
  for (const [at, { port: serverPort, hosts }] of spec.servers.entries()) {
    const path = `spec.servers[${at}]`;
    issues.push(...checkProtocol(serverPort.protocol, `${path}.port.protocol`));
    if (names.has(serverPort.name)) {
      const message = `duplicate of "${serverPort.name}", names of ports must be unique`;
      issues.push({ path: `${path}.port.name`, message });
    }
    names.add(serverPort.name);
    for (const [index, host] of hosts.entries()) {
      const wrong = checkServerHost(host);
      if (wrong !== undefined) issues.push({ path: `${path}.hosts[${index}]`, message: wrong });
    }
  }
  return issues;
}

/** Istio takes the protocol in any letter case. */
function checkProtocol(protocol: string, path: string): readonly Issue[] {
  const name = protocol.toUpperCase();
  if (PROTOCOLS_BUILT.includes(name)) return [];
  if (PROTOCOLS.includes(name)) {
    const message = `"${protocol}" is not supported yet: Istio knows it, this version of weft only ${PROTOCOLS_BUILT.join(" and ")}`;
    return [{ path, message }];
  }
  const meant = suggest(name, PROTOCOLS);
  const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
  return [{ path, message: `must be one of ${PROTOCOLS.join(", ")}: got "${protocol}"${hint}` }];
}

function checkServerHost(text: string): string | undefined {
  const slash = text.indexOf("/");
  if (slash === -1) return checkWildcardDomain(text);
  const namespace = text.slice(0, slash);
  if (namespace !== "*" && namespace !== "." && !isDnsLabel(namespace)) {
    return `must be <host> or <namespace>/<host>, the namespace a name, "*" or ".": got "${text}"`;
  }
  return checkWildcardDomain(text.slice(slash + 1));
}
