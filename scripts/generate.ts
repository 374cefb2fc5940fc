/**
 * Generates `src/api/gen` from the protobuf trees that `@grpc/grpc-js-xds` ships, and from what
 * `newer-fields.ts` and `newer-files.ts` add to them.
 *
 * Only the files in `ROOTS` and what they import are taken: the whole tree takes a minute, this
 * takes seconds. The result is not committed; a stamp of the inputs makes a second run a no-op.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { addNewerFields } from "./newer-fields.ts";
import { NEWER_FILES } from "./newer-files.ts";

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));
const OUT = join(REPOSITORY, "src", "api", "gen");
const STAMP = join(OUT, ".stamp");
const STAGING = join(REPOSITORY, ".cache", "proto");

/** What weft speaks. Adding a filter's configuration is adding its proto here. */
const ROOTS: readonly string[] = [
  "envoy/config/bootstrap/v3/bootstrap.proto",
  "envoy/config/cluster/v3/cluster.proto",
  "envoy/config/endpoint/v3/endpoint.proto",
  "envoy/config/listener/v3/listener.proto",
  "envoy/config/trace/v3/opentelemetry.proto",
  "envoy/config/trace/v3/zipkin.proto",
  "envoy/config/rbac/v3/rbac.proto",
  "envoy/config/route/v3/route.proto",
  "envoy/extensions/access_loggers/file/v3/file.proto",
  "envoy/extensions/access_loggers/filters/cel/v3/cel.proto",
  "envoy/extensions/access_loggers/grpc/v3/als.proto",
  "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto",
  "envoy/extensions/access_loggers/stream/v3/stream.proto",
  "envoy/extensions/filters/http/cors/v3/cors.proto",
  "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.proto",
  "envoy/extensions/filters/http/fault/v3/fault.proto",
  "envoy/extensions/filters/http/on_demand/v3/on_demand.proto",
  "envoy/extensions/filters/http/rbac/v3/rbac.proto",
  "envoy/extensions/filters/http/router/v3/router.proto",
  "envoy/extensions/filters/http/tap/v3/tap.proto",
  "envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.proto",
  "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto",
  "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
  "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto",
  "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
  "envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto",
  "envoy/extensions/filters/network/direct_response/v3/config.proto",
  "envoy/extensions/filters/network/echo/v3/echo.proto",
  "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "envoy/extensions/filters/network/rbac/v3/rbac.proto",
  "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.proto",
  "envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.proto",
  "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
  "envoy/extensions/formatter/cel/v3/cel.proto",
  "envoy/extensions/formatter/metadata/v3/metadata.proto",
  "envoy/extensions/formatter/req_without_query/v3/req_without_query.proto",
  "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.proto",
  "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.proto",
  "envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config.proto",
  "envoy/extensions/path/match/uri_template/v3/uri_template_match.proto",
  "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.proto",
  "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.proto",
  "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.proto",
  "envoy/extensions/load_balancing_policies/least_request/v3/least_request.proto",
  "envoy/extensions/load_balancing_policies/random/v3/random.proto",
  "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.proto",
  "envoy/extensions/load_balancing_policies/subset/v3/subset.proto",
  "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.proto",
  "envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver.proto",
  "envoy/extensions/request_id/uuid/v3/uuid.proto",
  "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto",
  "envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector.proto",
  "envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.proto",
  "envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler.proto",
  "envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler.proto",
  "envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler.proto",
  "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls.proto",
  "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto",
  "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
  "envoy/data/cluster/v3/outlier_detection_event.proto",
  "envoy/data/core/v3/health_check_event.proto",
  "envoy/data/tap/v3/wrapper.proto",
  "envoy/admin/v3/tap.proto",
  "envoy/config/overload/v3/overload.proto",
  "envoy/extensions/clusters/aggregate/v3/cluster.proto",
  "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.proto",
  "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto",
  "envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit.proto",
  "envoy/extensions/filters/listener/original_src/v3/original_src.proto",
  "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.proto",
  "envoy/extensions/health_check/event_sinks/file/v3/file.proto",
  "envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.proto",
  "envoy/extensions/load_balancing_policies/maglev/v3/maglev.proto",
  "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.proto",
  "envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality.proto",
  "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.proto",
  "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.proto",
  "envoy/extensions/resource_monitors/injected_resource/v3/injected_resource.proto",
  "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto",
  "envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto",
  "envoy/extensions/filters/http/buffer/v3/buffer.proto",
  "envoy/extensions/filters/http/compressor/v3/compressor.proto",
  "envoy/extensions/filters/http/decompressor/v3/decompressor.proto",
  "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.proto",
  "envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config.proto",
  "envoy/extensions/filters/http/grpc_stats/v3/config.proto",
  "envoy/extensions/filters/http/grpc_web/v3/grpc_web.proto",
  "envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto",
  "envoy/extensions/filters/http/health_check/v3/health_check.proto",
  "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto",
  "envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto",
  "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.proto",
  "envoy/extensions/http/stateful_session/cookie/v3/cookie.proto",
  "envoy/extensions/http/stateful_session/header/v3/header.proto",
  "envoy/extensions/compression/brotli/compressor/v3/brotli.proto",
  "envoy/extensions/compression/brotli/decompressor/v3/brotli.proto",
  "envoy/extensions/compression/gzip/compressor/v3/gzip.proto",
  "envoy/extensions/compression/gzip/decompressor/v3/gzip.proto",
  "envoy/extensions/compression/zstd/compressor/v3/zstd.proto",
  "envoy/extensions/compression/zstd/decompressor/v3/zstd.proto",
  "envoy/service/accesslog/v3/als.proto",
  "envoy/service/discovery/v3/ads.proto",
  "envoy/service/discovery/v3/discovery.proto",
  "opentelemetry/proto/collector/logs/v1/logs_service.proto",
  "opentelemetry/proto/collector/trace/v1/trace_service.proto",
  "zipkin.proto",
];

const require = createRequire(import.meta.url);
const xdsPackage = dirname(require.resolve("@grpc/grpc-js-xds/package.json"));
const TREES = ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((tree) =>
  join(xdsPackage, "deps", tree),
);

/** Imports that no tree carries: dropped, and with them the one field that used them. */
const UNAVAILABLE = /^opencensus\//;

function readProto(path: string): string | undefined {
  for (const tree of TREES) {
    const file = join(tree, path);
    if (existsSync(file)) return addNewerFields(path, readFileSync(file, "utf8"));
  }
  return NEWER_FILES[path];
}

function collect(): Map<string, string> {
  const texts = new Map<string, string>();
  const queue = [...ROOTS];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    // The well-known types come with the protobuf runtime.
    if (texts.has(path) || path.startsWith("google/protobuf/")) continue;
    const text = readProto(path);
    if (text === undefined) throw new Error(`no tree carries ${path}`);
    texts.set(path, adapt(text));
    for (const [, imported] of text.matchAll(/^import (?:public )?"([^"]+)";/gm)) {
      if (imported !== undefined && !UNAVAILABLE.test(imported)) queue.push(imported);
    }
  }
  return texts;
}

/** Takes out what the trees themselves cannot resolve. */
function adapt(text: string): string {
  return (
    text
      // A rule that this tree's validate.proto does not know.
      .replaceAll(/,?\s*ignore_empty: true/g, "")
      .replaceAll(/^import (?:public )?"opencensus\/[^"]+";\n/gm, "")
  );
}

function main(): void {
  const texts = collect();
  const hash = createHash("sha256");
  hash.update(readFileSync(fileURLToPath(import.meta.url)));
  for (const path of [...texts.keys()].sort()) hash.update(path).update(texts.get(path) ?? "");
  const stamp = hash.digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return;

  rmSync(STAGING, { recursive: true, force: true });
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  for (const [path, text] of texts) {
    const file = join(STAGING, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const bins = join(REPOSITORY, "node_modules", ".bin");
  writeFileSync(join(STAGING, "buf.yaml"), "version: v2\n");
  writeFileSync(
    join(STAGING, "buf.gen.yaml"),
    [
      "version: v2",
      "plugins:",
      "  - local: protoc-gen-es",
      `    out: ${JSON.stringify(OUT)}`,
      "    opt: [target=js+dts, import_extension=js]",
      "",
    ].join("\n"),
  );
  execFileSync(join(bins, "buf"), ["generate", "."], {
    cwd: STAGING,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, PATH: `${bins}${delimiter}${process.env["PATH"] ?? ""}` },
    timeout: 300_000,
  });
  rmSync(STAGING, { recursive: true, force: true });
  writeFileSync(STAMP, stamp);
}

main();
