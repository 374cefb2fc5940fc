import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import type { FilterChain, Inspection, Listener } from "../model/listener.ts";
import { NO_INSPECTION } from "../model/listener.ts";
import { DEFAULT_SETTINGS, type MeshSettings } from "../model/mesh-settings.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { decodeProxyNode } from "../model/proxy-node.ts";
import { proxySettings } from "../model/proxy-settings.ts";
import { type AccessLog, SILENT_TELEMETRY } from "../model/proxy-telemetry.ts";
import type { ServerTls } from "../model/tls.ts";
import { encodeListener } from "./listener.ts";
import { listenerSettings } from "./listener-settings.ts";
import { resourceJson } from "./resource-json.ts";

function proxy(metadata: Readonly<Record<string, unknown>> = {}): ProxyNode {
  const decoded = decodeProxyNode({
    id: "sidecar~10.0.0.1~a.shop~shop.svc.cluster.local",
    metadata,
  });
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.value;
}

const TCP: FilterChain["filter"] = {
  type: "tcp",
  statPrefix: "tcp",
  clusters: [{ name: "a", weight: 1 }],
  idleTimeoutMs: undefined,
  maxConnectionDurationMs: undefined,
  isHashedBySource: false,
  tunnel: undefined,
  isClusterFromSni: false,
};

function chain(change: Partial<FilterChain> = {}): FilterChain {
  return { name: "chain", match: {}, tls: undefined, filter: TCP, origins: [], ...change };
}

function listener(change: Partial<Listener> = {}): Listener {
  return {
    name: "listener",
    direction: "inbound",
    address: { address: "10.0.0.1", port: 80 },
    additionalAddresses: [],
    isBound: true,
    isCapturing: false,
    inspection: NO_INSPECTION,
    chains: [chain()],
    defaultChain: undefined,
    inspectionTimeoutMs: undefined,
    keepalive: undefined,
    origins: [],
    ...change,
  };
}

interface Given {
  readonly mesh?: Partial<MeshSettings>;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly logs?: readonly AccessLog[];
}

function json(change: Partial<Listener>, { mesh, metadata, logs = [] }: Given = {}): JsonObject {
  const settings = proxySettings(proxy(metadata), { ...DEFAULT_SETTINGS, ...mesh });
  const side = { ...SILENT_TELEMETRY.client, accessLogs: logs };
  const telemetry = { ...SILENT_TELEMETRY, client: side, server: side };
  const all = listenerSettings(settings, telemetry);
  return resourceJson("listener", encodeListener(listener(change), all));
}

/** The value at a path of names and indices. */
function at(value: JsonValue | undefined, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((part, name) => (part as never)?.[name], value);
}

const FILTER = ["filter_chains", 0, "filters", 0] as const;

function filterOf(filter: FilterChain["filter"], given?: Given): JsonValue {
  const found = at(json({ chains: [chain({ filter })] }, given), ...FILTER, "typed_config");
  return found as JsonValue;
}

describe("encodeListener()", () => {
  test.each<[string, Partial<Listener>, JsonObject]>([
    ["opens no socket where it is not bound", { isBound: false }, { bind_to_port: false }],
    ["hands on what it captures", { isCapturing: true }, { use_original_dst: true }],
    ["takes others' addresses", { isTransparent: true }, { transparent: true }],
    [
      "goes on without what nobody showed in time",
      { inspectionTimeoutMs: 1500 },
      { listener_filters_timeout: "1.500s", continue_on_listener_filters_timeout: true },
    ],
    [
      "is on a Unix socket",
      { address: { path: "/run/a.sock" } },
      { address: { pipe: { path: "/run/a.sock" } } },
    ],
    [
      "keeps connections alive",
      { keepalive: { probes: 3, timeMs: 7200, intervalMs: undefined } },
      {
        socket_options: [
          { level: "1", name: "9", int_value: "1", state: "STATE_LISTENING" },
          { level: "6", name: "6", int_value: "3", state: "STATE_LISTENING" },
          { level: "6", name: "4", int_value: "8", state: "STATE_LISTENING" },
        ],
      },
    ],
    [
      "has a chain for what no other takes",
      { chains: [], defaultChain: chain({ name: "rest" }) },
      { default_filter_chain: { name: "rest" } },
    ],
  ])("%s", (_, change, want) => {
    expect(json(change)).toMatchObject({ ...want });
  });

  test("looks for a PROXY header first, and for HTTP last", () => {
    const inspection = { originalDestination: true, originalSource: true, proxyProtocol: true };
    const filters = at(
      json({ inspection: { ...inspection, tls: true, http: true } }),
      "listener_filters",
    );
    expect((filters as { name: string }[]).map(({ name }) => name)).toEqual([
      "envoy.filters.listener.proxy_protocol",
      "envoy.filters.listener.original_dst",
      "envoy.filters.listener.original_src",
      "envoy.filters.listener.tls_inspector",
      "envoy.filters.listener.http_inspector",
    ]);
  });

  const range = (start: number) => ({ destination_port_range: { start, end: start + 1 } });

  test.each<[Inspection["tls"], unknown]>([
    [true, undefined],
    [{ exceptPorts: [90] }, range(90)],
    [{ exceptPorts: [80, 90] }, { or_match: { rules: [range(80), range(90)] } }],
    [{ onlyPorts: [90] }, { not_match: range(90) }],
  ])("inspects for TLS on some ports: %j", (tls, disabled) => {
    const filter = at(json({ inspection: { ...NO_INSPECTION, tls } }), "listener_filters", 0);
    expect(filter).toMatchObject({ name: "envoy.filters.listener.tls_inspector" });
    expect(at(filter as JsonValue, "filter_disabled")).toEqual(disabled);
  });
});

const MUTUAL: ServerTls = {
  certificates: [{ type: "sds", name: "default" }],
  trusted: { type: "sds", name: "ROOTCA" },
  isClientCertificateRequired: true,
  subjectAltNames: [],
  trustDomains: ["cluster.local"],
  spkiPins: [],
  certificatePins: [],
  crlFile: undefined,
  alpn: ["h2", "http/1.1"],
  minVersion: "TLSV1_2",
  maxVersion: "TLSV1_3",
  cipherSuites: ["AES128-GCM-SHA256"],
  ecdhCurves: [],
  origin: undefined,
};

const FILES: ServerTls = {
  ...MUTUAL,
  certificates: [{ type: "files", certificate: "/c.pem", privateKey: "/k.pem" }],
  trusted: { type: "trusted-file", file: "/ca.pem" },
  subjectAltNames: ["spiffe://td/ns/a/sa/b", "a.example", "10.0.0.9"],
  trustDomains: [],
};

const TLS_CONTEXT = ["filter_chains", 0, "transport_socket", "typed_config"] as const;

describe("TLS of a chain", () => {
  test("asks the agent for secrets by their names, and takes the mesh's identities only", () => {
    const context = at(json({ chains: [chain({ tls: MUTUAL })] }), ...TLS_CONTEXT) as JsonObject;
    expect(context).toMatchObject({
      require_client_certificate: true,
      common_tls_context: {
        alpn_protocols: ["h2", "http/1.1"],
        tls_certificate_sds_secret_configs: [
          {
            name: "default",
            sds_config: {
              api_config_source: {
                api_type: "GRPC",
                grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
              },
            },
          },
        ],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [
              { san_type: "URI", matcher: { prefix: "spiffe://cluster.local/" } },
            ],
          },
          validation_context_sds_secret_config: { name: "ROOTCA" },
        },
      },
    });
  });

  test("names files to the agent in Istio's words, and gateways' secrets to the control plane", () => {
    const tls = { ...FILES, trusted: { type: "sds", name: "kubernetes://web-cacert" } as const };
    const common = at(json({ chains: [chain({ tls })] }), ...TLS_CONTEXT, "common_tls_context");
    expect(common).toMatchObject({
      tls_certificate_sds_secret_configs: [{ name: "file-cert:/c.pem~/k.pem" }],
      combined_validation_context: {
        validation_context_sds_secret_config: {
          name: "kubernetes://web-cacert",
          sds_config: { ads: {} },
        },
      },
    });
  });

  test("lets a proxy without an agent for that read its files", () => {
    const given = { metadata: { WEFT_PROXY: "weft" } };
    const encoded = json({ chains: [chain({ tls: FILES })] }, given);
    expect(at(encoded, ...TLS_CONTEXT, "common_tls_context")).toMatchObject({
      alpn_protocols: ["h2", "http/1.1"],
      tls_certificates: [
        { certificate_chain: { filename: "/c.pem" }, private_key: { filename: "/k.pem" } },
      ],
      validation_context: {
        trusted_ca: { filename: "/ca.pem" },
        match_typed_subject_alt_names: [
          { san_type: "URI", matcher: { exact: "spiffe://td/ns/a/sa/b" } },
          { san_type: "DNS", matcher: { exact: "a.example" } },
          { san_type: "URI", matcher: { exact: "a.example" } },
          { san_type: "IP_ADDRESS", matcher: { exact: "10.0.0.9" } },
        ],
      },
    });
  });

  test("closes a chain whose certificates cannot be had, and does not open it in plain text", () => {
    const http = { type: "http", statPrefix: "x", routes: "80", role: "gateway" } as const;
    const encoded = json(
      { chains: [chain({ tls: MUTUAL, filter: http })] },
      { metadata: { WEFT_PROXY: "weft" } },
    );
    expect(at(encoded, "filter_chains", 0, "transport_socket")).toBeUndefined();
    expect(at(encoded, ...FILTER, "typed_config", "cluster")).toBe("BlackHoleCluster");
  });
});

describe("a TCP chain", () => {
  test.each<[string, Partial<typeof TCP>, JsonObject]>([
    [
      "weighs clusters, without those of weight 0",
      { clusters: ["a", "b", "c"].map((name, weight) => ({ name, weight })) },
      {
        weighted_clusters: {
          clusters: [
            { name: "b", weight: 1 },
            { name: "c", weight: 2 },
          ],
        },
      },
    ],
    ["has its idle time-out", { idleTimeoutMs: 0 }, { idle_timeout: "0s" }],
    [
      "ends old connections",
      { maxConnectionDurationMs: 1000 },
      { max_downstream_connection_duration: "1s" },
    ],
    ["keeps clients together", { isHashedBySource: true }, { hash_policy: [{ source_ip: {} }] }],
    [
      "asks for a way on",
      { tunnel: { targetHost: "2001:db8::1", targetPort: 443, method: "POST" } },
      { tunneling_config: { hostname: "[2001:db8::1]:443", use_post: true } },
    ],
  ])("%s", (_, change, want) => {
    expect(filterOf({ ...TCP, ...change } as typeof TCP)).toMatchObject({ ...want });
  });

  test("takes its cluster from the SNI", () => {
    const chains = [chain({ filter: { ...TCP, isClusterFromSni: true } as typeof TCP })];
    const filters = at(json({ chains }), "filter_chains", 0, "filters") as { name: string }[];
    expect(filters.map(({ name }) => name)).toEqual([
      "envoy.filters.network.sni_cluster",
      "envoy.filters.network.tcp_proxy",
    ]);
  });

  test("has the proxy's idle time-out where it says none", () => {
    const metadata = { IDLE_TIMEOUT: "90s" };
    expect(filterOf(TCP, { metadata })).toMatchObject({ idle_timeout: "90s" });
  });
});

describe("a connection manager", () => {
  const http = (role: "sidecar-outbound" | "sidecar-inbound" | "gateway" | "http-proxy") =>
    ({ type: "http", statPrefix: "x", routes: "80", role }) as const;
  const headers = (proxyHeaders: JsonObject) => ({ metadata: { PROXY_CONFIG: { proxyHeaders } } });

  test.each<[string, JsonValue, JsonObject]>([
    [
      "tells the app of clients' certificates",
      filterOf(http("sidecar-inbound")),
      {
        server_name: "istio-envoy",
        forward_client_cert_details: "APPEND_FORWARD",
        set_current_client_cert_details: { subject: true, dns: true, uri: true },
      },
    ],
    [
      "does so as it is told",
      filterOf(
        http("sidecar-inbound"),
        headers({
          forwardedClientCert: "SANITIZE",
          setCurrentClientCertDetails: { subject: false, cert: true },
        }),
      ),
      { set_current_client_cert_details: { cert: true, dns: true, uri: true, subject: false } },
    ],
    [
      "believes the proxies in front of a gateway",
      filterOf(http("gateway"), {
        metadata: {
          PROXY_CONFIG: {
            gatewayTopology: {
              numTrustedProxies: 2,
              forwardClientCertDetails: "ALWAYS_FORWARD_ONLY",
            },
          },
        },
      }),
      {
        use_remote_address: true,
        xff_num_trusted_hops: 2,
        forward_client_cert_details: "ALWAYS_FORWARD_ONLY",
      },
    ],
    [
      "takes whole URLs as a proxy, and HTTP/1.0 where asked for",
      filterOf(http("http-proxy"), { metadata: { HTTP10: "1" } }),
      { http_protocol_options: { allow_absolute_url: true, accept_http_10: true } },
    ],
    [
      "leaves the server header alone",
      filterOf(http("gateway"), headers({ server: { disabled: true } })),
      { server_header_transformation: "PASS_THROUGH" },
    ],
    [
      "has the mesh's defaults where the proxy has none of its own",
      filterOf(http("sidecar-outbound"), {
        mesh: { proxyConfig: { proxyHeaders: { server: { value: "me" } } } },
      }),
      { server_name: "me" },
    ],
    [
      "makes no request ids, and adds the port",
      filterOf(
        http("sidecar-outbound"),
        headers({ requestId: { disabled: true }, xForwardedPort: { enabled: true } }),
      ),
      { generate_request_id: false, append_x_forwarded_port: true },
    ],
    [
      "brings paths into order as the mesh has it",
      filterOf(http("gateway"), { mesh: { pathNormalization: "DECODE_AND_MERGE_SLASHES" } }),
      {
        normalize_path: true,
        merge_slashes: true,
        path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD",
      },
    ],
  ])("%s", (_, found, want) => {
    expect(found).toMatchObject({ ...want });
  });

  test("does not call itself anything to its own app", () => {
    expect(at(filterOf(http("sidecar-outbound")), "server_name")).toBeUndefined();
  });

  test("has Istio's filters in Istio's order, and a silent router where asked for", () => {
    const filters = at(
      filterOf(http("sidecar-outbound"), headers({ envoyDebugHeaders: { disabled: true } })),
      "http_filters",
    ) as { name: string; typed_config: JsonObject }[];
    expect(filters.map(({ name }) => name)).toEqual([
      "envoy.filters.http.grpc_stats",
      "envoy.filters.http.fault",
      "envoy.filters.http.cors",
      "envoy.filters.http.router",
    ]);
    expect(filters.at(-1)?.typed_config).toMatchObject({ suppress_envoy_headers: true });
  });

  test("makes gRPC of gRPC-Web before it counts calls", () => {
    const chain = { ...http("sidecar-inbound"), takesGrpcWeb: true };
    const filters = at(filterOf(chain), "http_filters") as { name: string }[];
    expect(filters.slice(0, 2).map(({ name }) => name)).toEqual([
      "envoy.filters.http.grpc_web",
      "envoy.filters.http.grpc_stats",
    ]);
  });
});

describe("access logs", () => {
  const LINE =
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% " +
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% ' +
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% ' +
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% " +
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
  const log = (format: MeshSettings["accessLogFormat"]): Given => ({
    logs: [
      { filter: undefined, sink: { type: "file", path: "/dev/stdout", format, omitsEmpty: false } },
    ],
  });
  const FORMAT = ["access_log", 0, "typed_config", "log_format"] as const;

  test("are Istio's line where nobody says another", () => {
    const found = filterOf(TCP, log({ encoding: "TEXT", text: undefined }));
    expect(at(found, "access_log", 0, "typed_config", "path")).toBe("/dev/stdout");
    expect(at(found, ...FORMAT)).toEqual({ text_format_source: { inline_string: LINE } });
  });

  test("end their lines, and bring the operators that are extensions", () => {
    const text = "%REQ_WITHOUT_QUERY(:PATH)% %METADATA(ROUTE:a)%";
    const found = filterOf(TCP, log({ encoding: "TEXT", text }));
    expect(at(found, ...FORMAT, "text_format_source")).toEqual({ inline_string: `${text}\n` });
    expect(at(found, ...FORMAT, "formatters")).toMatchObject([
      { name: "envoy.formatter.req_without_query" },
      { name: "envoy.formatter.metadata" },
    ]);
  });

  test("are JSON with Istio's fields or one's own", () => {
    const own = { b: "%PROTOCOL%", a: { c: "%DURATION%" } };
    expect(
      at(filterOf(TCP, log({ encoding: "JSON", fields: own })), ...FORMAT, "json_format"),
    ).toEqual(own);
    const istio = at(
      filterOf(TCP, log({ encoding: "JSON", fields: undefined })),
      ...FORMAT,
      "json_format",
    );
    expect(Object.keys(istio as object)).toHaveLength(24);
    expect(istio).toMatchObject({ start_time: "%START_TIME%", authority: "%REQ(:AUTHORITY)%" });
  });

  test("of listeners tell of connections that no chain took, unless switched off", () => {
    const given = log({ encoding: "TEXT", text: undefined });
    expect(at(json({}, given), "access_log", 0, "filter")).toEqual({
      response_flag_filter: { flags: ["NR"] },
    });
    const silent = { ...given, mesh: { isListenerLogged: false } };
    expect(at(json({}, silent), "access_log")).toBeUndefined();
  });
});
