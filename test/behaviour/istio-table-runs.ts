/**
 * Istio's tables whose rows need more than what was recorded: what the code around them does, in
 * words of ours. The rows themselves (names, figures, checks) are read from the file.
 */
import type { BehaviourMesh } from "./behaviour-mesh.ts";
import { echoWorkloads } from "./echo-world.ts";
import { renderTemplate } from "./go-template.ts";
import {
  gatewayProxyProtocol,
  ingress,
  ingressUpdates,
  trustedProxies,
  viaGateway,
  xForwardedFor,
} from "./istio-gateway-runs.ts";
import { compareShares, FQDN, ip, many, type Run, rule } from "./istio-run-parts.ts";
import { locality, mirroring } from "./istio-spread-runs.ts";
import { check, type Table, text, variables } from "./istio-tables.ts";

/** Runs a table that has an entry here; every problem as a sentence. */
export function runTable(mesh: BehaviourMesh, table: Table): Promise<readonly string[]> {
  const run = TABLE_RUNS[table.number];
  if (run === undefined) throw new Error(`no run for table ${table.number}`);
  return run(mesh, table);
}

const shifting: Run = async (mesh, { rows }) => {
  const problems: string[] = [];
  const config = text(rows[0]?.["config"]);
  for (const [dests, split] of [
    [
      ["b", "c"],
      [20, 80],
    ],
    [
      ["b", "c", "d"],
      [50, 25, 25],
    ],
    [
      ["b", "c", "d"],
      [80, 10, 10],
    ],
  ] as const) {
    await mesh.configure(renderTemplate(config, { ...variables("b"), dstSvcs: dests, split }));
    const answers = await many(mesh, "GET http://b/", 400);
    const shares = Object.fromEntries(dests.map((dest, at) => [dest, (split[at] ?? 0) / 100]));
    problems.push(...compareShares(answers, shares));
  }
  return problems;
};

const withoutHeaders: Run = async (mesh, { rows }) => {
  await mesh.configure(renderTemplate(text(rows[0]?.["config"]), variables("b")));
  const problems: string[] = [];
  for (const [user, status] of [
    ["jason", 200],
    ["not-jason", 403],
    [undefined, 403],
  ] as const) {
    const headers = user === undefined ? {} : { "end-user": user };
    const answer = await mesh.send("client", "GET http://b/foo", headers);
    if (answer.status !== status) problems.push(`${user}: ${answer.status}, not ${status}`);
  }
  return problems;
};

/** A DestinationRule of one section, and a call that must come out as the row says. */
function withPolicy(policy: string): Run {
  return async (mesh, { rows }) => {
    await mesh.configure(rule("b", policy));
    const answer = await mesh.send("client", "GET http://b/");
    const opts = rows[0]?.["opts"] as Record<string, unknown>;
    return [...mesh.rejections(), ...check(opts["Check"], answer)];
  };
}

const headlessHosts: Run = async (mesh) => {
  await mesh.configure("");
  const problems: string[] = [];
  const names = ["headless", "headless.default", "headless.default.svc", `headless.${FQDN}`];
  for (const name of [
    ...names,
    ...names.map((one) => `${one}:80`),
    ...names.map((one) => `${one}:81`),
  ]) {
    const { status, echo } = await mesh.send("client", `GET http://${name}/`);
    if (echo?.by !== "headless-v1") problems.push(`${name}: ${status} by ${String(echo?.by)}`);
  }
  return problems;
};

/** A second service for the pods of `b`, on a port of its own. */
function secondService(name: string, port: number, targetPort: number): Run {
  return async (mesh) => {
    const listed = ["b-v1", "b-v2"].map((one) => `{ addresses: [${ip(mesh, one)}] }`);
    await mesh.configure(`
{ apiVersion: v1, kind: Service, metadata: { name: ${name} }, spec: { clusterIP: 10.96.3.1, selector: { app: b }, ports: [{ name: http, port: ${port}, targetPort: ${targetPort} }] } }
---
{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: { name: ${name}, labels: { kubernetes.io/service-name: ${name} } }, addressType: IPv4, ports: [{ name: http, port: ${targetPort} }], endpoints: [${listed.join(", ")}] }
`);
    const { status, echo } = await mesh.send("client", `GET http://${name}:${port}/`);
    return status === 200 && echo?.by.startsWith("b-") ? [] : [`${status} by ${String(echo?.by)}`];
  };
}

const externalName: Run = async (mesh) => {
  await mesh.configure(
    `{ apiVersion: v1, kind: Service, metadata: { name: b-ext-port }, spec: { type: ExternalName, externalName: b.${FQDN}, ports: [{ name: http, port: 80, targetPort: 18080 }] } }`,
  );
  const problems: string[] = [];
  for (const host of ["b-ext-port", "b-ext-port.default", `b-ext-port.${FQDN}`]) {
    const { status, echo } = await mesh.send("client", `GET http://${host}/`);
    if (!(echo?.by.startsWith("b-") ?? false)) problems.push(`${host}: ${status}`);
  }
  return problems;
};

const externalNameRouted: Run = async (mesh) => {
  await mesh.configure(`
{ apiVersion: v1, kind: Service, metadata: { name: b-ext-route }, spec: { type: ExternalName, externalName: b.${FQDN}, ports: [{ name: http, port: 80 }] } }
---
{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: ext-route }, spec: { gateways: [mesh], hosts: [c], http: [{ route: [{ destination: { host: b-ext-route.${FQDN}, port: { number: 80 } } }] }] } }
`);
  const { status, echo } = await mesh.send("client", "GET http://c/");
  return (echo?.by.startsWith("b-") ?? false) ? [] : [`${status} by ${String(echo?.by)}`];
};

/** All answers of one client by one of the two pods of `b`, or not. */
function hashing(policy: string | undefined, line: string, headers = {}): Run {
  return async (mesh) => {
    await mesh.configure(
      policy === undefined ? "" : rule("b", `{ loadBalancer: { consistentHash: ${policy} } }`),
    );
    const answers = await many(mesh, line, 10, headers);
    const pods = new Set(answers.map(({ echo, status }) => echo?.by ?? String(status)));
    const isRight = policy === undefined ? pods.size === 2 : pods.size === 1;
    return isRight ? [] : [`answered by ${[...pods].join(", ")}`];
  };
}

/** The session's cookie goes back with every further request. */
function cookieHashing(policy: string, given: Readonly<Record<string, string>> = {}): Run {
  return async (mesh) => {
    await mesh.configure(rule("b", `{ loadBalancer: { consistentHash: ${policy} } }`));
    const first = await mesh.send("client", "GET http://b/", given);
    const cookie = first.headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? given["cookie"] ?? "";
    const answers = await many(mesh, "GET http://b/", 10, { cookie });
    const pods = new Set(answers.map(({ echo }) => echo?.by));
    return pods.size === 1 && cookie !== "" ? [] : [`${cookie}: ${[...pods].join(", ")}`];
  };
}

const selfCall: Run = async (mesh, { rows }) => {
  await mesh.configure("");
  const answer = await mesh.send("client", "GET http://a/");
  const opts = rows[0]?.["opts"] as Record<string, unknown>;
  return check(opts["Check"], answer);
};

const localhostCall: Run = async (mesh) => {
  const { appAddress } = echoWorkloads(mesh.block).find(({ app }) => app === "a") ?? {};
  const answer = await fetch(`http://${appAddress}:18080/`);
  const { headers } = (await answer.json()) as { headers: Record<string, unknown> };
  return headers["x-envoy-attempt-count"] === undefined ? [] : ["it went through a proxy"];
};

const sniffedHttp: Run = async (mesh) => {
  await mesh.configure("");
  const problems: string[] = [];
  for (const port of [80, 81]) {
    const { status } = await mesh.send("client", `GET http://b:${port}/`);
    if (status !== 200) problems.push(`${port}: ${status}`);
  }
  return problems;
};

const registryOnly: Run = async (mesh) => {
  await mesh.configure(`
{ apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: { name: only }, spec: { workloadSelector: { labels: { app: a } }, egress: [{ hosts: ["./*", "istio-system/*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } } }
---
{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: fake }, spec: { hosts: [fake.external.test], location: MESH_EXTERNAL, resolution: STATIC, endpoints: [{ address: ${ip(mesh, "naked-v1")} }], ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 18080 }] } }
`);
  const allowed = await mesh.send("client", "GET http://fake.external.test/");
  const refused = await mesh.send("client", "GET http://other.external.test/");
  return [
    ...(allowed.echo?.by === "naked-v1" ? [] : [`allowed: ${allowed.status}`]),
    ...(refused.status === 502 ? [] : [`refused: ${refused.status}`]),
  ];
};

const upstreamProxyProtocol: Run = async (mesh) => {
  await mesh.configure(
    rule("proxied", "{ proxyProtocol: { version: V1 } }") +
      `
---
{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: proxied }, spec: { hosts: [proxied.${FQDN}], location: MESH_EXTERNAL, resolution: STATIC, endpoints: [{ address: ${ip(mesh, "naked-v1")} }], ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 18090 }] } }
`,
  );
  const { status, echo } = await mesh.send("client", `GET http://proxied.${FQDN}/`);
  const version = echo?.headers["x-proxy-protocol"];
  return version === "PROXY TCP4" ? [] : [`${status}, ${String(version)}`];
};

/** The sidecar begins TLS towards a server outside, whose ports say which HTTP they speak. */
const tlsOrigination: Run = async (mesh, { rows }) => {
  const ports = rows.map(({ port, alpn }) => {
    const name = alpn === "h2" ? "http2" : "http";
    return `{ number: ${Number(port)}, name: ${name}, protocol: ${name.toUpperCase()}, targetPort: 18443 }`;
  });
  await mesh.configure(`
{ apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: { name: external }, spec: { host: external.test, trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true } } } }
---
{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: external }, spec: { hosts: [external.test], location: MESH_EXTERNAL, resolution: STATIC, endpoints: [{ address: ${ip(mesh, "naked-v1")} }], ports: [${ports.join(", ")}] } }
`);
  const problems: string[] = [];
  for (const { port, alpn } of rows) {
    const { status, echo } = await mesh.send("client", `GET http://external.test:${Number(port)}/`);
    const told = echo?.headers["x-alpn"];
    // Without ALPN, HTTP/1.1 is what there is.
    const spoken = told === "false" ? `http/${echo?.httpVersion}` : told;
    if (spoken !== alpn) problems.push(`port ${Number(port)}: ${status}, ALPN ${String(spoken)}`);
  }
  return problems;
};

/** By the number of the table. */
export const TABLE_RUNS: Readonly<Record<number, Run>> = {
  14: shifting,
  15: withoutHeaders,
  16: tlsOrigination,
  19: withPolicy("{ connectionPool: { http: { useClientProtocol: true } } }"),
  20: withPolicy("{ connectionPool: { http: { idleTimeout: 100s } } }"),
  23: (mesh, table) =>
    viaGateway(mesh, table, {
      headers: { "x-forwarded-proto": "https" },
      // EnvoyFilter is no kind of ours; the mesh's own setting says the same.
      change: (yaml) =>
        [
          ...yaml.split("---").filter((one) => !one.includes("EnvoyFilter")),
          trustedProxies(1),
        ].join("---"),
    }),
  25: viaGateway,
  26: (mesh, table) => viaGateway(mesh, table, { vars: { VirtualServiceHost: "*.example.com" } }),
  27: viaGateway,
  28: viaGateway,
  29: (mesh, table) => viaGateway(mesh, table, { vars: { MatchScheme: "http" } }),
  31: gatewayProxyProtocol,
  32: upstreamProxyProtocol,
  33: xForwardedFor,
  35: headlessHosts,
  36: secondService("b-alt-3", 12_345, 18_081),
  37: secondService("b-alt-4", 12_346, 18_085),
  38: externalName,
  39: externalNameRouted,
  40: hashing(undefined, "GET http://b/"),
  41: cookieHashing("{ httpCookie: { name: session-cookie, ttl: 3600s } }"),
  42: cookieHashing("{ httpCookie: { name: session-cookie } }", {
    cookie: "session-cookie=somecookie",
  }),
  43: selfCall,
  44: localhostCall,
  45: sniffedHttp,
  54: registryOnly,
  81: ingress,
  82: ingressUpdates,
  84: locality,
  85: mirroring,
};
