import {
  type RouteAction_RequestMirrorPolicy,
  RouteAction_RequestMirrorPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { decodeRuntimeShare, type RuntimeShare } from "./runtime-reader.ts";
import { wireText } from "./wire-text.ts";

/** Another cluster that gets a copy of requests, whose answers nobody waits for. */
export interface MirrorPolicy {
  /** "" when a header names it. */
  readonly cluster: string;
  /** The request header, in lower case, that names the cluster; "" when the policy does. */
  readonly clusterHeader: string;
  /** Of all requests; `undefined`: all of them. */
  readonly share: RuntimeShare | undefined;
  /** Whether the copy is traced; `undefined`: as the request is. */
  readonly isTraceSampled: boolean | undefined;
  /** Whether the copy's host gets `-shadow` behind its name. */
  readonly appendsShadow: boolean;
}

const HANDLED = [
  "cluster",
  "cluster_header",
  "runtime_fraction",
  "trace_sampled",
  "disable_shadow_host_suffix_append",
];

/** Decodes one mirror policy. */
export function decodeMirror(
  message: RouteAction_RequestMirrorPolicy,
  path: string,
  issues: Issue[],
): MirrorPolicy {
  issues.push(...refuseFields(RouteAction_RequestMirrorPolicySchema, message, HANDLED, path));
  const { cluster, clusterHeader, runtimeFraction } = message;
  if (cluster !== "" && clusterHeader !== "") {
    const what = `Only one of cluster '${cluster}' or cluster_header '${clusterHeader}' in request mirror policy can be specified`;
    issues.push({ path, message: what });
  } else if (cluster === "" && clusterHeader === "") {
    const what =
      "Exactly one of cluster or cluster_header in request mirror policy need to be specified";
    issues.push({ path, message: what });
  }
  return {
    cluster,
    clusterHeader: wireText(clusterHeader).toLowerCase(),
    share:
      runtimeFraction &&
      decodeRuntimeShare(runtimeFraction, joinPath(path, "runtime_fraction"), issues),
    isTraceSampled: message.traceSampled,
    appendsShadow: !message.disableShadowHostSuffixAppend,
  };
}
