import type { Issue } from "../../base/issue.ts";
import type { Gateway, GatewayServer } from "../gateway.ts";
import { validateLabels } from "../metadata.ts";
import { checkHostEntry } from "./host-entry-rules.ts";
import {
  checkIpAddress,
  checkPortNumber,
  checkProtocol,
  checkUnixAddress,
  isHttpProtocol,
  isTlsProtocol,
  isUnixAddress,
} from "./port-rules.ts";
import { validateServerTls } from "./server-tls-rules.ts";

/** What Istio's webhook refuses about a Gateway beyond its schema. */
export function validateGateway({ spec }: Gateway): readonly Issue[] {
  const issues = [...validateLabels("spec.selector", spec.selector)];
  const names = new Set<string>();
  for (const [at, server] of spec.servers.entries()) {
    const path = `spec.servers[${at}]`;
    const { name } = server.port;
    if (names.has(name)) {
      const message = `duplicate of "${name}", names of ports must be unique`;
      issues.push({ path: `${path}.port.name`, message });
    }
    names.add(name);
    issues.push(...validateServer(server, path));
  }
  return issues;
}

function validateServer(server: GatewayServer, path: string): readonly Issue[] {
  const { hosts, port, bind = "", tls } = server;
  const issues = hosts.flatMap((host, at) =>
    checkHostEntry(host, `${path}.hosts[${at}]`, "gateway"),
  );
  const portIssues = checkProtocol(port.protocol, `${path}.port.protocol`);
  issues.push(...portIssues, ...validateBind(bind, port.number, path));
  if (port.targetPort !== undefined && port.targetPort > 0) {
    const message = "may not be set: where a gateway listens follows from its Service";
    issues.push({ path: `${path}.port.targetPort`, message });
  }
  if (port.protocol.toUpperCase() === "UDP") {
    const message = "is not served: proxies take TCP only";
    issues.push({ path: `${path}.port.protocol`, message, severity: "warning" });
  }
  if (tls !== undefined) issues.push(...validateServerTls(tls, `${path}.tls`));
  if (portIssues.length === 0) issues.push(...validateTlsUse(server, path));
  return issues;
}

function validateBind(bind: string, number: number, path: string): readonly Issue[] {
  if (!isUnixAddress(bind)) {
    return [
      ...(bind === "" ? [] : checkIpAddress(bind, `${path}.bind`)),
      ...checkPortNumber(number, `${path}.port.number`),
    ];
  }
  const issues = [...checkUnixAddress(bind, `${path}.bind`)];
  if (number !== 0) {
    const message = `must be 0 with a unix domain socket: got ${number}`;
    issues.push({ path: `${path}.port.number`, message });
  }
  return issues;
}

/** A TLS port has settings, a plain one none but the redirect of HTTP. */
function validateTlsUse({ port, tls }: GatewayServer, path: string): readonly Issue[] {
  const isHttp = isHttpProtocol(port.protocol);
  if (isTlsProtocol(port.protocol)) {
    if (tls === undefined) {
      return [{ path: `${path}.tls`, message: `is required for ${port.protocol}` }];
    }
  } else if (tls !== undefined && !isHttp) {
    return [{ path: `${path}.tls`, message: `may not be set for ${port.protocol}` }];
  } else if (tls !== undefined) {
    const { mode = "PASSTHROUGH" } = tls;
    const isRedirectAlone =
      (mode === "PASSTHROUGH" || mode === "AUTO_PASSTHROUGH") &&
      [tls.caCertificates, tls.privateKey, tls.serverCertificate].every((one = "") => one === "");
    if (!isRedirectAlone) {
      const message = `may have only httpsRedirect for ${port.protocol}, which is plain text: say HTTPS`;
      return [{ path: `${path}.tls`, message }];
    }
  }
  if (tls?.httpsRedirect !== true || isHttp) return [];
  const message = `has no effect for ${port.protocol}: it redirects plain HTTP`;
  return [{ path: `${path}.tls.httpsRedirect`, message, severity: "warning" }];
}
