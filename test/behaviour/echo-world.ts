import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { createServer, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createServingCertificate } from "../../src/identity/serving-certificate.ts";
import type { MeshWorld, Workload } from "./base-mesh.ts";
import { gatewayIp, gatewayYaml } from "./base-mesh.ts";
import { type Echo, startEchoApp } from "./echo-app.ts";

/** The ports of every service of the peers' echo apps that speak HTTP, and where the apps listen. */
export const ECHO_PORTS: readonly {
  readonly name: string;
  readonly port: number;
  readonly target: number;
}[] = [
  { name: "http", port: 80, target: 18_080 },
  { name: "auto-http", port: 81, target: 18_081 },
  { name: "http2", port: 85, target: 18_085 },
];

/** `a` sends; `naked` has no sidecar; `headless` has no address of its own. */
const APPS = ["a", "b", "c", "d", "headless", "naked"] as const;

/** The workloads, one of each app, two of `b` so that they can be told apart. */
export function echoWorkloads(block: number): readonly Workload[] {
  const names = [...APPS.map((app) => [app, "v1"] as const), ["b", "v2"] as const];
  return names.map(([app, version], at) => ({
    name: `${app}-${version}`,
    app,
    version,
    // Where clients are, for preferring what is near.
    ...(app === "a" && { labels: { "istio-locality": "region.zone.subzone" } }),
    podIp: `127.${block}.0.${at + 10}`,
    appAddress: `127.${block}.128.${at + 10}`,
    ...(app === "naked" && { isNaked: true }),
  }));
}

function serviceYaml(app: string, at: number, workloads: readonly Workload[]): string {
  const isAuto = (name: string): boolean => name.startsWith("auto");
  const ports = ECHO_PORTS.map(
    ({ name, port, target }) =>
      `{ name: ${isAuto(name) ? "x-auto" : name}, port: ${port}, targetPort: ${target} }`,
  );
  const listed = ECHO_PORTS.map(
    ({ name, target }) => `{ name: ${isAuto(name) ? "x-auto" : name}, port: ${target} }`,
  );
  const endpoints = workloads.map(
    ({ name, podIp }) =>
      `{ addresses: [${podIp}], targetRef: { kind: Pod, name: ${name}, namespace: default } }`,
  );
  return `
apiVersion: v1
kind: Service
metadata: { name: ${app}, namespace: default }
spec:
  clusterIP: ${app === "headless" ? "None" : `10.96.2.${at + 10}`}
  selector: { app: ${app} }
  ports: [${ports.join(", ")}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${app}-1, namespace: default, labels: { kubernetes.io/service-name: ${app} } }
addressType: IPv4
ports: [${listed.join(", ")}]
endpoints: [${endpoints.join(", ")}]
`;
}

function podYaml({ name, app, version, podIp, labels = {} }: Workload): string {
  const more = Object.entries(labels).map(([key, value]) => `, ${key}: ${value}`);
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default, labels: { app: ${app}, version: ${version}${more.join("")} } }
spec: { containers: [{ name: app, image: app }] }
status: { phase: Running, podIP: ${podIp} }
`;
}

/** An app whose clients begin with a PROXY protocol header; tells which, as a request header. */
async function startProxyProtocolApp(host: string, port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("\r\n\r\n")) return;
      const version = /^PROXY \w+/.exec(text)?.[0] ?? "";
      const echo: Echo = {
        by: "naked-v1",
        method: "",
        path: "",
        headers: { "x-proxy-protocol": version },
        httpVersion: "1.1",
      };
      const body = JSON.stringify(echo);
      const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
      socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
    });
  });
  server.listen(port, host);
  await once(server, "listening");
  return async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  };
}

/** An app that speaks either version of HTTP over TLS; tells what ALPN was agreed on, as a request header. */
async function startTlsApp(host: string, port: number): Promise<() => Promise<void>> {
  const hosts = ["external.test"];
  const { certificate, privateKey } = await createServingCertificate({ clock: nodeClock, hosts });
  const options = { cert: certificate, key: privateKey, allowHTTP1: true };
  const sockets = new Set<Socket>();
  const server = createSecureServer(options, (request, response) => {
    const isHttp2 = request.httpVersionMajor === 2;
    const alpn = isHttp2
      ? request.stream.session?.alpnProtocol
      : (request.socket as TLSSocket).alpnProtocol;
    const echo: Echo = {
      by: "naked-v1",
      method: request.method ?? "",
      path: request.url ?? "",
      headers: { ...request.headers, "x-alpn": String(alpn) },
      httpVersion: request.httpVersion,
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(echo));
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, "listening");
  return async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  };
}

/** The mesh that Istio's integration tests call through, as far as apps ask a proxy by name. */
export const ECHO_WORLD: MeshWorld = {
  workloads: echoWorkloads,
  config: (block) => {
    const workloads = echoWorkloads(block);
    return [
      ...APPS.map((app, at) =>
        serviceYaml(
          app,
          at,
          workloads.filter((one) => one.app === app),
        ),
      ),
      ...workloads.map(podYaml),
      gatewayYaml(gatewayIp(block)),
    ].join("---");
  },
  startApp: async (workload) => {
    const stops = await Promise.all([
      ...ECHO_PORTS.map(({ target }) => startEchoApp(workload, target)),
      ...(workload.isNaked === true
        ? [startProxyProtocolApp(workload.podIp, 18_090), startTlsApp(workload.podIp, 18_443)]
        : []),
    ]);
    return async () => {
      await Promise.all(stops.map((stop) => stop()));
    };
  },
  client: "a",
  anyService: { host: "c.default.svc.cluster.local", port: 80 },
};

/** The label `istio` of the gateway's pod. */
export const GATEWAY_LABEL = "ingressgateway";
