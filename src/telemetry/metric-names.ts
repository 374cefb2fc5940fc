/** How one metric is declared to Prometheus. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Upper bounds of a histogram's buckets, rising. */
  readonly buckets?: readonly number[];
}

const SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 5, 10, 20, 30];

/** Every metric there is. Istiod's names where it has the same thing, `weft_` where it does not. */
const TABLE = {
  pilot_xds: {
    type: "gauge",
    help: "Number of proxies connected over xDS, by the Istio version that they say they are of.",
  },
  pilot_total_xds_internal_errors: {
    type: "counter",
    help: "Configurations that could not be built and streams that were ended, by a bug.",
  },
  pilot_xds_expired_nonce: {
    type: "counter",
    help: "Answers of proxies to none of the responses that one is waited for, by resource type.",
  },
  pilot_xds_recv_max: { type: "gauge", help: "Bytes of the largest xDS request so far." },
  pilot_xds_write_timeout: {
    type: "counter",
    help: "xDS streams that were ended because their proxies did not read.",
  },
  pilot_xds_pushes: { type: "counter", help: "Responses sent to proxies, by resource type." },
  pilot_total_xds_rejects: {
    type: "counter",
    help: "Responses that a proxy rejected (NACK), by resource type.",
  },
  pilot_xds_config_size_bytes: {
    type: "histogram",
    help: "Size of the responses sent to proxies.",
    buckets: [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000],
  },
  pilot_proxy_convergence_time: {
    type: "histogram",
    help: "Seconds from a change of configuration until a proxy has acknowledged all of it.",
    buckets: SECONDS,
  },
  pilot_xds_push_time: {
    type: "histogram",
    help: "Seconds that it took to build one proxy's configuration and to hand it out.",
    buckets: SECONDS,
  },
  pilot_proxy_queue_time: {
    type: "histogram",
    help: "Seconds that a proxy waited after a change for its configuration to be built.",
    buckets: SECONDS,
  },
  pilot_pushcontext_init_seconds: {
    type: "histogram",
    help: "Seconds that it took to build the mesh from the objects.",
    buckets: SECONDS,
  },
  pilot_push_triggers: { type: "counter", help: "Pushes, by what was the reason." },
  pilot_inbound_updates: { type: "counter", help: "Changes of objects, by what they concern." },
  pilot_k8s_cfg_events: {
    type: "counter",
    help: "Changes of Istio's objects, by kind and event.",
  },
  pilot_k8s_reg_events: {
    type: "counter",
    help: "Changes of Kubernetes' objects, by kind and event.",
  },
  pilot_services: { type: "gauge", help: "Services known to the control plane." },
  pilot_virt_services: { type: "gauge", help: "VirtualServices known to the control plane." },
  endpoint_no_pod: { type: "gauge", help: "Services with endpoints that are no pod's." },
  pilot_conflict_outbound_listener_tcp_over_current_tcp: {
    type: "gauge",
    help: "Listeners for what goes out on which an older service has the place of a newer one.",
  },
  pilot_conflict_inbound_listener: {
    type: "gauge",
    help: "Proxies with a port that two services give different protocols.",
  },
  pilot_destrule_subsets: {
    type: "gauge",
    help: "Hosts with a subset that two DestinationRules of a namespace define.",
  },
  pilot_dns_cluster_without_endpoints: {
    type: "gauge",
    help: "Clusters that look names up and have none to look up.",
  },
  pilot_duplicate_envoy_clusters: {
    type: "gauge",
    help: "Hostnames of several services, of which a proxy has one.",
  },
  pilot_eds_no_instances: { type: "gauge", help: "Clusters without endpoints." },
  pilot_endpoint_not_ready: { type: "gauge", help: "Pods that services list as not ready." },
  pilot_no_ip: { type: "gauge", help: "Proxies that no service leads to." },
  pilot_vservice_dup_domain: {
    type: "gauge",
    help: "Hosts of several VirtualServices, of which the oldest counts.",
  },
  pilot_info: { type: "gauge", help: "1, with the version of the control plane." },
  istio_build: { type: "gauge", help: "1, with component and version, as Istio's parts have it." },
  istiod_uptime_seconds: { type: "gauge", help: "Seconds since the control plane was made." },
  pilot_debounce_time: {
    type: "histogram",
    help: "Seconds that changes were collected before they were pushed.",
    buckets: SECONDS,
  },
  pilot_xds_push_errors: {
    type: "counter",
    help: "Configurations of one proxy that could not be built; it keeps its last good one.",
  },
  weft_xds_wait_expired: {
    type: "counter",
    help: "Waits for a proxy's acknowledgement that ran out, by stage of the push.",
  },
  weft_xds_held_routes: {
    type: "counter",
    help: "Virtual hosts held at their last good form because a proxy lacks their clusters.",
  },
  weft_xds_refused_streams: { type: "counter", help: "xDS streams refused, by reason." },
  pilot_xds_send_time: {
    type: "histogram",
    help: "Seconds until a response to a proxy had left for the network.",
    buckets: SECONDS,
  },
  pilot_xds_cds_reject: { type: "counter", help: "Cluster responses that a proxy rejected." },
  pilot_xds_eds_reject: { type: "counter", help: "Endpoint responses that a proxy rejected." },
  pilot_xds_lds_reject: { type: "counter", help: "Listener responses that a proxy rejected." },
  pilot_xds_rds_reject: { type: "counter", help: "Route responses that a proxy rejected." },
  weft_xds_vhds_reject: { type: "counter", help: "Virtual host responses that a proxy rejected." },
  weft_xds_throttled_requests: {
    type: "counter",
    help: "Times that a proxy's requests were left waiting because it made too many.",
  },
  weft_xds_streams_waiting: { type: "gauge", help: "New xDS streams that wait for their turn." },
  weft_xds_pending_bytes: {
    type: "gauge",
    help: "Bytes of responses that the network has not taken yet, of proxies that read.",
  },
  weft_xds_departed: {
    type: "gauge",
    help: "Proxies that went and whose state is kept for their return.",
  },
  weft_xds_departed_bytes: {
    type: "gauge",
    help: "About what that state takes where no connected proxy has the same.",
  },
  weft_xds_joined_bytes: {
    type: "gauge",
    help: "Bytes of resources that were put together for many proxies and are kept.",
  },
  weft_xds_names_kept: {
    type: "gauge",
    help: "Resource names kept in lists that proxies share.",
  },
  weft_xds_unknown_types: {
    type: "counter",
    help: "Subscriptions to resource types that are not served.",
  },
  weft_scope_workloads: {
    type: "gauge",
    help: "Workloads of which it is known what they call (automatic scope).",
  },
  weft_scope_hosts: { type: "gauge", help: "Hosts that workloads were seen to call, in all." },
  weft_scope_asked: {
    type: "counter",
    help: "Hosts that proxies asked for on demand: new ones, known ones, and too many.",
  },
  weft_scope_forgotten: {
    type: "counter",
    help: "Hosts of workloads that were forgotten because nobody asked for them again.",
  },
  weft_scope_widened: {
    type: "counter",
    help: "Workloads that asked for too many hosts, and got all that they may see.",
  },
  weft_objects: { type: "gauge", help: "Objects that are held, by kind." },
  weft_push_pending: {
    type: "gauge",
    help: "Proxies that wait for their configuration to be built; as many as are connected at most.",
  },
  weft_changes_pending: {
    type: "gauge",
    help: "1 while changes are collected before they are pushed.",
  },
  weft_debug_pages_pending: {
    type: "gauge",
    help: "Large pages that are being made or wait for their turn; 36 at most.",
  },
  weft_model_cells: {
    type: "gauge",
    help: "Values that what proxies see is computed from, and that are remembered.",
  },
  weft_model_computations: {
    type: "gauge",
    help: "How often one of those values had to be computed, since the start.",
  },
  weft_config_refused: { type: "gauge", help: "Parts of the configuration refused at present." },
  weft_kubernetes_requests: {
    type: "counter",
    help: "Requests to the Kubernetes API that were answered, by method and HTTP status.",
  },
  weft_kubernetes_lists: {
    type: "counter",
    help: "Times that all objects of a kind were listed, by kind.",
  },
  weft_kubernetes_failures: {
    type: "counter",
    help: "Lists and watches of the Kubernetes API that failed, by kind; they are tried again.",
  },
  weft_kubernetes_objects: {
    type: "gauge",
    help: "Objects of the Kubernetes API that are in use, by kind.",
  },
  weft_status_writes: { type: "counter", help: "Writes of objects' status." },
  weft_status_write_errors: {
    type: "counter",
    help: "Writes of objects' status that failed; they are tried again.",
  },
  weft_status_writes_pending: {
    type: "gauge",
    help: "Objects whose status waits to be written, by rank; at most one write for each object.",
  },
  weft_distribution_unconfirmed: {
    type: "gauge",
    help: "Objects that not all proxies are known to have as they are.",
  },
  weft_kubernetes_leader: {
    type: "gauge",
    help: "Whether this process writes the status of objects: 1 for the leader.",
  },
  weft_kubernetes_status_writes: {
    type: "counter",
    help: "Writes of an object's status to the Kubernetes API, by result.",
  },
  weft_kubernetes_status_throttled: {
    type: "counter",
    help: "Writes of an object's status that waited for the limit of requests a second.",
  },
  process_cpu_seconds_total: {
    type: "counter",
    help: "Seconds of CPU that the process used, in user and system mode.",
  },
  process_resident_memory_bytes: { type: "gauge", help: "Resident memory of the process." },
  process_virtual_memory_bytes: { type: "gauge", help: "Virtual memory of the process." },
  process_open_fds: { type: "gauge", help: "Open file descriptors of the process." },
  process_max_fds: { type: "gauge", help: "Most file descriptors that the process may open." },
  process_start_time_seconds: { type: "gauge", help: "When the process began, since the epoch." },
  nodejs_heap_size_total_bytes: { type: "gauge", help: "Heap that is allocated." },
  nodejs_heap_size_used_bytes: { type: "gauge", help: "Heap that is in use." },
  nodejs_external_memory_bytes: { type: "gauge", help: "Memory outside of the heap." },
  weft_metric_series_dropped: {
    type: "gauge",
    help: "Values lost because a metric had too many label combinations.",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** The name of a metric. */
export type MetricName = keyof typeof TABLE;

/** The table by name, with the optional fields readable on every entry. */
export const METRICS: Readonly<Record<MetricName, MetricDefinition>> = TABLE;
