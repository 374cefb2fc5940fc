/** A label of a metric. */
export interface Tag {
  readonly name: string;
  readonly value: string;
}

/** A rule that takes part of a stat's name out of it and makes it a label. */
export interface TagRule {
  readonly name: string;
  /** What is taken out, and the part of it that is the value; `undefined` when it says nothing. */
  find(
    stat: string,
  ): { readonly start: number; readonly end: number; readonly value: string } | undefined;
}

/** The first group is taken out, the second one (or the first) is the value, as in Envoy. */
function rule(name: string, pattern: RegExp): TagRule {
  return {
    name,
    find(stat) {
      const match = pattern.exec(stat);
      const outer = match?.indices?.[1];
      if (match === null || outer === undefined) return undefined;
      return { start: outer[0], end: outer[1], value: match[2] ?? match[1] ?? "" };
    },
  };
}

/**
 * Envoy's own rules, for the names that there are here.
 */
export const DEFAULT_TAG_RULES: readonly TagRule[] = [
  rule("envoy.response_code", /_rq(_(\d{3}))$/d),
  rule("envoy.response_code_class", /_rq_((\d))xx$/d),
  rule("envoy.ssl_cipher", /\.ssl\.ciphers(\.([^.]+))$/d),
  rule("envoy.ssl_curve", /\.ssl\.curves(\.([^.]+))$/d),
  rule("envoy.ssl_version", /\.ssl\.versions(\.([^.]+))$/d),
  rule("envoy.fault_downstream_cluster", /^http\..*\.fault\.((.*?)\.)\w+$/d),
  rule("envoy.tcp_prefix", /^tcp\.((.*?)\.)/d),
  rule("envoy.connection_limit_prefix", /^connection_limit\.((.*?)\.)/d),
  rule("envoy.local_http_ratelimit_prefix", /^(([^.]+)\.)http_local_rate_limit\./d),
  rule("envoy.local_network_ratelimit_prefix", /^local_rate_limit\.(([^.]+)\.)/d),
  rule("envoy.local_listener_ratelimit_prefix", /^listener_local_ratelimit\.(([^.]+)\.)/d),
  // Of names between dots, so that a service whose name has some is cut apart, as by Envoy.
  rule("envoy.grpc_bridge_method", /^cluster\.[^.]*\.grpc\.[^.]*\.(([^.]*)\.)./d),
  rule("envoy.grpc_bridge_service", /^cluster\.[^.]*\.grpc\.(([^.]*)\.)./d),
  // A name with a dot is cut there, as by Envoy; whoever has such names brings rules of their own.
  rule("envoy.cluster_name", /^cluster\.((.*?)\.)/d),
  rule("envoy.listener_address", /^listener\.(((?:\d{1,3}\.){3}\d{1,3}_\d+|\[.*?\]_\d+|[^.]*)\.)/d),
  rule("envoy.http_conn_manager_prefix", /^(?:listener\..*?\.)?http\.((.*?)\.)/d),
];

/** A name without what became labels, and the labels; every rule looks at the whole name. */
export function extractTags(
  stat: string,
  rules: readonly TagRule[],
): { readonly name: string; readonly tags: readonly Tag[] } {
  const tags: Tag[] = [];
  const taken: { readonly start: number; readonly end: number }[] = [];
  for (const one of rules) {
    const found = one.find(stat);
    if (found === undefined) continue;
    tags.push({ name: one.name, value: found.value });
    taken.push(found);
  }
  let name = "";
  let at = 0;
  for (const { start, end } of taken.sort((one, two) => one.start - two.start)) {
    name += stat.substring(at, Math.max(at, start));
    at = Math.max(at, end);
  }
  return { name: name + stat.substring(at), tags };
}
