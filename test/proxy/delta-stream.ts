import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type ResourceSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";

type Resource = MessageInitShape<typeof ResourceSchema>;

/** What a control plane has of one type. */
export interface DeltaType {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  /** What is sent to whoever asks for no name, beside what was asked for by name. */
  readonly pushed: ReadonlySet<string>;
  readonly resources: ReadonlyMap<string, Uint8Array>;
  /** A type that nobody gave yet is not answered, rather than answered with nothing. */
  readonly isGiven: boolean;
  /** Says of names that are not there that they are not, as virtual hosts need it. */
  readonly answersUnknown: boolean;
}

/** The version of a resource: the same for the same bytes, whoever sends them. */
export function versionOf(body: Uint8Array): string {
  return createHash("sha1").update(body).digest("hex").slice(0, 8);
}

/** One type on one delta stream: what was asked for, and what the client has. */
export class DeltaSubscription {
  readonly names = new Set<string>();
  /** Name to version, as the client has it; "" for what it was told there is none of. */
  readonly #has = new Map<string, string>();
  #isFirst = true;
  #isAnswered = false;

  /** What a request says; the names that have to be answered whatever the client has. */
  note(request: DeltaDiscoveryRequest): ReadonlySet<string> {
    const subscribe = new Set(request.resourceNamesSubscribe);
    for (const name of request.resourceNamesUnsubscribe) {
      this.names.delete(name);
      this.#has.delete(name);
    }
    for (const name of subscribe) this.names.add(name);
    if (!this.#isFirst) return subscribe;
    this.#isFirst = false;
    const held = Object.entries(request.initialResourceVersions);
    for (const [name, version] of held) this.#has.set(name, version);
    return new Set([...subscribe].filter((name) => !this.#has.has(name)));
  }

  /** The next response; `undefined` when the client has everything. */
  next(
    { typeUrl, isWildcard, pushed, resources, isGiven, answersUnknown }: DeltaType,
    asked: ReadonlySet<string>,
    nonce: string,
  ): DeltaDiscoveryResponse | undefined {
    if (!isGiven && !answersUnknown) return undefined;
    const sent: Resource[] = [];
    for (const [name, body] of resources) {
      if (!isWildcard && !this.names.has(name) && !pushed.has(name)) continue;
      const version = versionOf(body);
      if (this.#has.get(name) === version && !asked.has(name)) continue;
      this.#has.set(name, version);
      sent.push({ name, version, resource: { typeUrl, value: body } });
    }
    for (const name of asked) {
      if (!answersUnknown || !name.includes("/") || resources.has(name)) continue;
      this.#has.set(name, "");
      sent.push({ name, version: "none", aliases: [name] });
    }
    const removedResources = [...this.#has]
      .filter(([name, version]) => version !== "" && !resources.has(name))
      .map(([name]) => name);
    for (const name of removedResources) this.#has.delete(name);
    // A first answer comes even if there is nothing: clients wait for it.
    const isWaitedFor = !this.#isAnswered && (isWildcard || answersUnknown);
    if (sent.length === 0 && removedResources.length === 0 && !isWaitedFor) return undefined;
    this.#isAnswered = true;
    return create(DeltaDiscoveryResponseSchema, {
      typeUrl,
      systemVersionInfo: nonce,
      nonce,
      resources: sent,
      removedResources,
    });
  }
}
