import type { Cluster } from "../cluster/cluster.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { RoutedStream } from "./routed-stream.ts";

const STATUS = 503;

/**
 * The answer to a request that is dropped because the control plane wants its cluster to get fewer;
 * `undefined` for one that goes on. It counts as the cluster's own.
 */
export function dropOverload(
  cluster: Cluster,
  { context, config }: RoutedStream,
): LocalReply | undefined {
  const { dropShare } = cluster;
  if (dropShare === 0) return undefined;
  const isAll = dropShare >= 1;
  if (!isAll && context.prng.next() >= dropShare) return undefined;
  cluster.load.countResponse(STATUS);
  const body = isAll ? "unconditional drop overload" : "drop overload";
  const header = `x-envoy-${body.replaceAll(" ", "-")}`;
  return {
    status: STATUS,
    body,
    flag: isAll ? "UDO" : "DO",
    details: body.replaceAll(" ", "_"),
    ...(config.suppressesEnvoyHeaders ? {} : { headers: [header, "true"] }),
  };
}
