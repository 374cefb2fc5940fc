import type { MirrorPolicy } from "../../match/mirror-policy.ts";
import { currentShare } from "../../match/runtime-reader.ts";
import { isGrpcRequest } from "../http/local-reply-head.ts";
import { RequestHead } from "../http/message-head.ts";
import type { RoutedStream } from "./routed-stream.ts";
import { ShadowRequest } from "./shadow-request.ts";
import { upstreamNames } from "./upstream-names.ts";

export const NO_SHADOWS: readonly ShadowRequest[] = [];

/** What has come of a request before its copies begin. */
interface SentSoFar {
  readonly body: readonly Buffer[];
  readonly isRequestDone: boolean;
}

/** Begins the copies of a request that its route asks for; those that cannot be are left out. */
export function startShadows(
  policies: readonly MirrorPolicy[],
  stream: RoutedStream,
  timeoutMs: number,
  { body, isRequestDone }: SentSoFar,
): readonly ShadowRequest[] {
  const { context, head, runtime } = stream;
  const shadows: ShadowRequest[] = [];
  for (const policy of policies) {
    const { share } = policy;
    if (share !== undefined && context.prng.next() >= currentShare(share, runtime)) continue;
    const name = policy.cluster || head.headers.get(policy.clusterHeader);
    const cluster = name === undefined ? undefined : context.findCluster(name);
    if (cluster === undefined) continue;
    const host = cluster.pick();
    if (host === undefined) {
      cluster.load.noneHealthy++;
      continue;
    }
    const { names: rules } = host.load.config.connection;
    const authority = policy.appendsShadow ? withShadow(head.authority) : head.authority;
    const shadow = new ShadowRequest(context, host, {
      names: rules && upstreamNames(rules, { authority, headers: head.headers }),
      head: shadowHead(stream, policy),
      scheme: stream.scheme,
      isGrpc: isGrpcRequest(head),
      timeoutMs,
    });
    for (const bytes of body) shadow.sendBytes(bytes, 0, bytes.length);
    if (isRequestDone) shadow.endRequest(stream.requestTrailers);
    shadows.push(shadow);
  }
  return shadows;
}

/** The request's head as the copy has it; the request's own stays as it is. */
function shadowHead({ head, context }: RoutedStream, policy: MirrorPolicy): RequestHead {
  const copy = new RequestHead();
  copy.take(head);
  if (policy.appendsShadow) copy.authority = withShadow(head.authority);
  const { headers } = copy;
  headers.set("x-envoy-internal", "true");
  const before = headers.get("x-forwarded-for");
  const { localAddress } = context;
  headers.set("x-forwarded-for", before === undefined ? localAddress : `${before},${localAddress}`);
  return copy;
}

/** `host:port` → `host-shadow:port`. */
function withShadow(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const hasPort = colon > authority.lastIndexOf("]") && colon !== -1;
  if (!hasPort) return `${authority}-shadow`;
  return `${authority.substring(0, colon)}-shadow${authority.substring(colon)}`;
}
