import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { findProgram } from "../test/programs.ts";
import type { CertificateFiles } from "./bootstrap.ts";
import type { Http2Ports } from "./http2-upstream.ts";
import { Measured } from "./measured.ts";
import { freePorts, waitFor } from "./ports.ts";

export type ProxyName = "weft" | "envoy" | "nginx" | "haproxy";
export const PROXY_NAMES: readonly ProxyName[] = ["weft", "envoy", "nginx", "haproxy"];

/** What every scenario's configuration is made of. */
export interface SetupContext {
  /** Where the scenario's proxies may listen. */
  readonly ports: readonly number[];
  readonly upstreamPort: number;
  /** Absent where there is no C compiler for the upstream over HTTP/2. */
  readonly http2Ports: Http2Ports | undefined;
  readonly folder: string;
  readonly certificates: { readonly client: CertificateFiles; readonly server: CertificateFiles };
}

/** One configuration for each process in the chain, the one that the load meets first. */
export type Setup = (context: SetupContext) => {
  readonly entryPort: number;
  readonly bootstraps: readonly object[];
};

/** How nginx and haproxy take part: as what. */
export type PeerMode = "http" | "https" | "tcp";

/** A proxy, or several in a row, that runs for one scenario. */
export interface Started {
  readonly name: ProxyName;
  readonly port: number;
  readonly processes: readonly Measured[];
}

/** So many ports a scenario may use. */
const SETUP_PORTS = 6;

const paths = new Map<ProxyName, string | undefined>();

/** The program of a proxy; `undefined` where the machine lacks it, which is said once. */
export function programOf(name: Exclude<ProxyName, "weft">): string | undefined {
  if (!paths.has(name)) paths.set(name, findProgram(name));
  return paths.get(name);
}

/** What of the bench's own a proxy is started with. */
export interface StartOptions {
  readonly setup: Setup;
  readonly mode: PeerMode | undefined;
  readonly context: Omit<SetupContext, "ports">;
  /** `bin/weft`, which sets its own flags of V8. */
  readonly weft: string;
  /** Whether a request through it must be answered 200 before it counts as started. */
  readonly isHttps: boolean;
}

/** Starts it and waits until a request passes; throws with its last words when it does not. */
export async function startProxy(name: ProxyName, options: StartOptions): Promise<Started> {
  const ports = await freePorts(SETUP_PORTS);
  const context = { ...options.context, ports };
  const [entryPort = 0] = ports;
  const started: { port: number; processes: Measured[] } = { port: entryPort, processes: [] };
  try {
    if (name === "nginx" || name === "haproxy") {
      started.processes.push(startPeer(name, options.mode ?? "http", context));
    } else {
      const { bootstraps, entryPort: port } = options.setup(context);
      started.port = port;
      for (const [at, bootstrap] of bootstraps.entries()) {
        const file = join(context.folder, `${name}-${at}.json`);
        writeFileSync(file, JSON.stringify(bootstrap));
        started.processes.push(startMesh(name, file, options.weft));
      }
    }
    await waitFor(name, started.processes, () => answers(started.port, options.isHttps));
  } catch (error) {
    await Promise.all(started.processes.map((process) => process.stop()));
    throw error;
  }
  return { name, ...started };
}

function startMesh(name: "weft" | "envoy", file: string, weft: string): Measured {
  if (name === "weft") {
    return new Measured(name, 0, weft, ["proxy", "--log-level", "error", "-c", file]);
  }
  const args = ["--concurrency", "1", "--use-dynamic-base-id", "-l", "error", "-c", file];
  return new Measured(name, 0, programOf(name) ?? name, args);
}

function answers(port: number, isHttps: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, agent: false, timeout: 1000 } as const;
    const sent = isHttps
      ? get({ ...options, rejectUnauthorized: false }, (response) => {
          response.resume();
          resolve(response.statusCode === 200);
        })
      : request(options, (response) => {
          response.resume();
          resolve(response.statusCode === 200);
        }).end();
    sent.on("error", () => resolve(false));
    sent.on("timeout", () => sent.destroy());
  });
}

function startPeer(name: "nginx" | "haproxy", mode: PeerMode, context: SetupContext): Measured {
  const { certificate, privateKey } = context.certificates.server;
  const file = join(context.folder, `${name}.conf`);
  const options = { mode, port: context.ports[0] ?? 0, upstreamPort: context.upstreamPort };
  if (name === "nginx") {
    writeFileSync(
      file,
      nginxConfig({ ...options, folder: context.folder, certificate, privateKey }),
    );
    return new Measured(name, 0, programOf(name) ?? name, ["-c", file, "-e", "/dev/null"]);
  }
  // It reads `file.key` beside the certificate.
  writeFileSync(file, haproxyConfig({ ...options, certificate }));
  return new Measured(name, 0, programOf(name) ?? name, ["-q", "-f", file]);
}

interface PeerOptions {
  readonly mode: PeerMode;
  readonly port: number;
  readonly upstreamPort: number;
  readonly certificate: string;
}

function nginxConfig(
  options: PeerOptions & { readonly folder: string; readonly privateKey: string },
): string {
  const { mode, port, upstreamPort, folder } = options;
  const upstream = `upstream app { server 127.0.0.1:${upstreamPort}; keepalive 1024; keepalive_requests 100000000; }`;
  const head = `worker_processes 1; daemon off; master_process off; pid ${folder}/nginx.pid;
error_log /dev/null;
events { worker_connections 16384; }
`;
  if (mode === "tcp") {
    const server = `server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${upstreamPort}; }`;
    return `load_module modules/ngx_stream_module.so;\n${head}stream { ${server} }\n`;
  }
  const tls =
    mode === "https"
      ? `ssl_certificate ${options.certificate}; ssl_certificate_key ${options.privateKey};`
      : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/nginx-${kind};`)
    .join(" ");
  return `${head}http { access_log off; keepalive_requests 100000000; keepalive_timeout 3600; ${temporary}
${upstream}
server { listen 127.0.0.1:${port}${mode === "https" ? " ssl" : ""} backlog=4096; ${tls}
client_max_body_size 16m; client_body_buffer_size 2m; proxy_request_buffering off;
location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
`;
}

function haproxyConfig({ mode, port, upstreamPort, certificate }: PeerOptions): string {
  const tls = mode === "https" ? ` ssl crt ${certificate}` : "";
  return `global
  nbthread 1
  maxconn 4096
  ssl-load-extra-del-ext
defaults
  mode ${mode === "tcp" ? "tcp" : "http"}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${mode === "tcp" ? "" : "  http-reuse always\n"}frontend in
  bind 127.0.0.1:${port} backlog 4096${tls}
  default_backend app
backend app
  server app 127.0.0.1:${upstreamPort}
`;
}
