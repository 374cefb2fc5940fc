import type { MessageInitShape } from "@bufbuild/protobuf";
import { status as grpcStatus } from "@grpc/grpc-js";
import type {
  DiscoveryRequestSchema,
  DiscoveryResponse,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Rejection, ResourceType, TypeStatus } from "./resource-type.ts";

/** A NACK's text goes back to the control plane and into its status; no more than this of it. */
const REASON_LENGTH_MAX = 4096;

type Request = MessageInitShape<typeof DiscoveryRequestSchema>;

/**
 * What is asked for of one type, what was taken, and what the next request says (xDS protocol,
 * "ACK and NACK" and "Resource names"). Knows no stream.
 */
export class Subscription {
  readonly #type: ResourceType;
  #names: ReadonlySet<string> = new Set();
  #version = "";
  #nonce = "";
  #rejection: string | undefined = undefined;
  #updates = 0;
  #rejections = 0;
  /** Whether this stream has heard of the type. */
  #isAsked = false;
  /** Whether there is something to say: an answer, or other names. */
  #isDue = false;
  /** Whether the next request answers a response that was refused; only one does. */
  #isNackDue = false;

  constructor(type: ResourceType) {
    this.#type = type;
  }

  status(): TypeStatus {
    return {
      typeUrl: this.#type.typeUrl,
      version: this.#version,
      ...(this.#rejection === undefined ? {} : { rejection: this.#rejection }),
      updates: this.#updates,
      rejections: this.#rejections,
    };
  }

  /** A new stream: nonces of the old one mean nothing there, versions still do. */
  reset(): void {
    this.#nonce = "";
    this.#isAsked = false;
    this.#isDue = false;
    this.#isNackDue = false;
  }

  /** Whether the names are others than before. */
  setNames(names: ReadonlySet<string>): boolean {
    const isSame =
      names.size === this.#names.size && [...names].every((name) => this.#names.has(name));
    if (isSame) return false;
    this.#names = new Set(names);
    this.#isDue = true;
    return true;
  }

  /** Notes what became of a response; the reason when something of it was refused. */
  note(response: DiscoveryResponse, rejections: readonly Rejection[]): string | undefined {
    this.#nonce = response.nonce;
    this.#isDue = true;
    this.#isNackDue = rejections.length > 0;
    if (rejections.length === 0) {
      this.#version = response.versionInfo;
      this.#rejection = undefined;
      this.#updates++;
      return undefined;
    }
    this.#rejections++;
    this.#rejection = rejections
      .map(({ name, reason }) => (name === "" ? reason : `${name}: ${reason}`))
      .join("; ")
      .slice(0, REASON_LENGTH_MAX);
    return this.#rejection;
  }

  /** What this stream has to be told now, if anything; to be sent in order. */
  nextRequest(): Request | undefined {
    const { typeUrl, isWildcard } = this.#type;
    const isFirst = !this.#isAsked && (isWildcard || this.#names.size > 0);
    if (!isFirst && !(this.#isAsked && this.#isDue)) return undefined;
    const isNack = this.#isNackDue;
    this.#isAsked = true;
    this.#isDue = false;
    this.#isNackDue = false;
    return {
      typeUrl,
      versionInfo: this.#version,
      responseNonce: this.#nonce,
      resourceNames: isWildcard ? [] : [...this.#names].sort(),
      // The code is the one that Envoy gives.
      ...(isNack
        ? { errorDetail: { code: grpcStatus.INTERNAL, message: this.#rejection ?? "" } }
        : {}),
    };
  }

  /** Hands a response to who takes it. */
  apply({
    resources,
    versionInfo,
  }: DiscoveryResponse): readonly Rejection[] | Promise<readonly Rejection[]> {
    const { typeUrl } = this.#type;
    const foreign = resources.find((resource) => resource.typeUrl !== typeUrl);
    if (foreign !== undefined) {
      return [{ name: "", reason: `type URL ${foreign.typeUrl} does not match ${typeUrl}` }];
    }
    return this.#type.apply(
      resources.map(({ value }) => value),
      versionInfo,
    );
  }
}
