import type { MetadataValue } from "../../match/match-request.ts";
import {
  describeRequest,
  type MetadataSource,
  type RateLimitDescriptor,
  type RateLimitRule,
  type RateLimitSource,
} from "../../match/rate-limit.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { JOINED_HEADERS } from "./joined-headers.ts";

/** How the rules of a virtual host go with those of its routes. */
export type HostRateLimits =
  /** They count where the route has none. */
  | "override"
  /** They count beside the route's. */
  | "include"
  | "ignore";

const NONE: readonly RateLimitDescriptor[] = [];

/** Makes descriptors of the requests of one connection, one after the other. */
export class StreamRateLimitSource implements RateLimitSource {
  readonly #stream: FilterStream;

  constructor(stream: FilterStream) {
    this.#stream = stream;
  }

  get info(): StreamInfo {
    return this.#stream.info;
  }

  get localCluster(): string {
    return this.#stream.context.node.cluster;
  }

  get targetCluster(): string | undefined {
    return this.#stream.choice?.name;
  }

  header(name: string): string | undefined {
    const { head, info } = this.#stream;
    if (name.startsWith(":") || name === "host") return info.requestHeader(name);
    return JOINED_HEADERS.has(name) ? head.headers.get(name) : head.headers.first(name);
  }

  metadata(source: MetadataSource, namespace: string): MetadataValue | undefined {
    const { route, choice, context } = this.#stream;
    if (source === "dynamic") return this.#stream.dynamicMetadata(namespace);
    if (source === "route") return route?.metadata[namespace];
    if (choice === undefined) return undefined;
    return context.findCluster(choice.name)?.config.metadata[namespace];
  }

  /** What a filter's own rules make of the request when it comes. */
  describeBy(rules: readonly RateLimitRule[]): readonly RateLimitDescriptor[] {
    const descriptors: RateLimitDescriptor[] = [];
    for (const rule of rules) {
      if (!rule.appliesOnStreamDone) this.#add(rule, descriptors);
    }
    return descriptors;
  }

  /** What the rules of the route and its virtual host make of it, at one stage. */
  describeByRoute(stage: number, hostLimits: HostRateLimits): readonly RateLimitDescriptor[] {
    const { route, virtualHost } = this.#stream;
    if (route?.action.kind !== "cluster") return NONE;
    const { rateLimits, includesHostRateLimits } = route.action;
    const descriptors: RateLimitDescriptor[] = [];
    this.#addStage(rateLimits, stage, descriptors);
    const countsHost =
      includesHostRateLimits ||
      hostLimits === "include" ||
      (hostLimits === "override" && rateLimits.length === 0);
    if (countsHost && virtualHost !== undefined) {
      this.#addStage(virtualHost.rateLimits, stage, descriptors);
    }
    return descriptors;
  }

  #addStage(
    rules: readonly RateLimitRule[],
    stage: number,
    descriptors: RateLimitDescriptor[],
  ): void {
    for (const rule of rules) {
      // As in Envoy, one that the runtime could switch off is off here.
      if (rule.stage === stage && rule.disableKey === "") this.#add(rule, descriptors);
    }
  }

  #add(rule: RateLimitRule, descriptors: RateLimitDescriptor[]): void {
    const descriptor = describeRequest(rule, this);
    if (descriptor !== undefined) descriptors.push(descriptor);
  }
}
