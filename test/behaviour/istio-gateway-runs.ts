/** Istio's tables whose calls come to a gateway. */
import { connect } from "node:net";
import { until } from "../controlplane/until.ts";
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import { GATEWAY_LABEL } from "./echo-world.ts";
import { renderTemplate } from "./go-template.ts";
import { FQDN, type Run } from "./istio-run-parts.ts";
import { check, type Table, text, variables } from "./istio-tables.ts";

/** Applies a gateway row to `b` and `c`, and makes its calls at the gateway. */
export async function viaGateway(
  mesh: BehaviourMesh,
  table: Table,
  options: {
    readonly vars?: Readonly<Record<string, unknown>>;
    readonly host?: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** What stands in the place of objects that are not built. */
    readonly change?: (yaml: string) => string;
  } = {},
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const row of table.rows) {
    for (const dst of ["b", "c"]) {
      const host = `${dst}.${FQDN}`;
      const values = variables(dst, {
        Gateway: "gateway",
        GatewayHost: "*",
        GatewayPort: 80,
        GatewayPortName: "http",
        GatewayProtocol: "HTTP",
        VirtualServiceHost: host,
        Port: 80,
        ...options.vars,
        ...(options.vars?.["VirtualServiceHost"] !== undefined && { DestinationHost: host }),
      });
      const yaml = renderTemplate(text(row["config"]), values);
      await mesh.configure(options.change?.(yaml) ?? yaml);
      problems.push(...mesh.rejections());
      const calls = (row["children"] as readonly Record<string, unknown>[] | undefined) ?? [row];
      for (const call of calls) {
        const opts = call["opts"] as Record<string, unknown>;
        const asked = options.host ?? hostOf(opts) ?? host;
        const answer = await mesh.send("gateway", `GET http://${asked}/`, options.headers);
        const checks = opts["Check"] ?? { $call: "check.OK", args: null };
        problems.push(...check(checks, answer).map((one) => `${dst} ${asked}: ${one}`));
      }
    }
  }
  return problems;
}

/** `headers.New().WithHost("foo").Build`, as it was recorded. */
function hostOf(opts: Record<string, unknown>): string | undefined {
  const headers = (opts["HTTP"] as Record<string, unknown> | undefined)?.["Headers"];
  const call = (headers as { $call?: string } | undefined)?.$call ?? "";
  return /WithHost\("([^"]*)"\)/.exec(call)?.[1];
}

/** What a gateway believes of the proxies before it, from the mesh's settings. */
export function trustedProxies(count: number): string {
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "defaultConfig: { gatewayTopology: { numTrustedProxies: ${count} } }" }
`;
}

function meshGateway(host: string, dst: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gateway }
spec: { selector: { istio: ${GATEWAY_LABEL} }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${dst} }
spec: { gateways: [gateway], hosts: ["${host}"], http: [{ route: [{ destination: { host: ${dst}.${FQDN}, port: { number: 80 } } }] }] }
`;
}

export const xForwardedFor: Run = async (mesh) => {
  const host = `b.${FQDN}`;
  await mesh.configure(`${meshGateway(host, "b")}---${trustedProxies(2)}`);
  const headers = { "x-forwarded-for": "56.5.6.7, 72.9.5.6, 98.1.2.3" };
  let seen = "";
  // Listeners follow after routes, by which a mesh is known to have followed.
  await until(async () => {
    const { echo, status } = await mesh.send("gateway", `GET http://${host}/`, headers);
    const external = echo?.headers["x-envoy-external-address"];
    const forwarded = String(echo?.headers["x-forwarded-for"] ?? "").split(",");
    seen = `${status}, external ${String(external)}, ${forwarded.length} addresses`;
    return external === "72.9.5.6" && forwarded.length === 4;
  }, `the second proxy before the gateway to be believed: ${seen}`).catch(() => undefined);
  return seen === "200, external 72.9.5.6, 4 addresses" ? [] : [seen];
};

/** A gateway whose clients begin with a PROXY protocol header, which the app must not get. */
export const gatewayProxyProtocol: Run = async (mesh) => {
  const config = `
{ apiVersion: v1, kind: ConfigMap, metadata: { name: istio, namespace: istio-system }, data: { mesh: "defaultConfig: { gatewayTopology: { proxyProtocol: {} } }" } }
---
{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: aaa, namespace: istio-system }, spec: { selector: { istio: ${GATEWAY_LABEL} }, servers: [{ port: { number: 8080, name: tcp, protocol: TCP }, hosts: ["*"] }] } }
---
{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: tcp }, spec: { gateways: [istio-system/aaa], hosts: ["*"], tcp: [{ match: [{ port: 8080 }], route: [{ destination: { host: c.${FQDN}, port: { number: 80 } } }] }] } }
`;
  await mesh.configure(config, [], { isGatewayAsked: false });
  const { host, port } = mesh.gatewayAddress;
  const message =
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /tcp HTTP/1.1\r\nhost: c\r\nconnection: close\r\n\r\n";
  let answer = "";
  await until(async () => {
    answer = await exchange(host, port, message);
    return answer.includes('"path":"/tcp"');
  }, `the gateway to pass TCP on; it answers ${answer}`);
  return answer.includes("PROXY TCP4") ? [answer] : [];
};

/** Everything that comes back for one message. */
function exchange(host: string, port: number, message: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, host, () => socket.write(message));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

export const ingress: Run = async (mesh, { rows }) => {
  const problems: string[] = [];
  for (const row of rows.filter(({ name }) => !text(name).startsWith("https"))) {
    await mesh.configure(ingressYaml("istio", text(row["path"]), text(row["prefixPath"])));
    const call = row["call"] as Record<string, unknown>;
    const path = text((call["HTTP"] as Record<string, unknown>)["Path"]);
    const answer = await mesh.send("gateway", `GET http://server${path}`);
    const isOk = (call["Check"] as { $ref: string }).$ref === "successChecker";
    const isRight = isOk ? answer.echo?.by.startsWith("b-") === true : answer.status === 404;
    if (!isRight) problems.push(`${text(row["name"])}: ${answer.status}`);
  }
  return problems;
};

function ingressYaml(className: string, path: string, prefix: string): string {
  const backend = "{ service: { name: b, port: { name: http } } }";
  return `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: istio-test }
spec: { controller: istio.io/ingress-controller }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: ingress, annotations: { kubernetes.io/ingress.class: ${className} } }
spec:
  rules:
    - host: server
      http:
        paths:
          - { path: ${path}, pathType: Exact, backend: ${backend} }
          - { path: ${prefix}, pathType: Prefix, backend: ${backend} }
`;
}

export const ingressUpdates: Run = async (mesh, { rows }) => {
  const problems: string[] = [];
  for (const row of rows) {
    const named = text(row["ingressClass"]);
    const yaml = ingressYaml("x", text(row["path"]), "/never")
      .replace(", annotations: { kubernetes.io/ingress.class: x }", "")
      .replace("spec:\n  rules:", `spec:\n  ingressClassName: ${named}\n  rules:`);
    await mesh.configure(yaml);
    const call = row["call"] as Record<string, unknown>;
    const path = text((call["HTTP"] as Record<string, unknown>)["Path"]);
    const { status } = await mesh.send("gateway", `GET http://server${path}`);
    const wanted = "$func" in (call["Check"] as object) ? 404 : 200;
    if (status !== wanted) problems.push(`${text(row["name"])}: ${status}, not ${wanted}`);
  }
  return problems;
};
