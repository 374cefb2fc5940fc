import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../base/issue.ts";
import type { ResourceKind, XdsSnapshot } from "../xds/snapshot.ts";
import type { VariantName } from "./variant.ts";

/** How a client introduced itself in the first request of its stream. */
export interface ClientNode {
  readonly id: string;
  /** Envoy's `--service-cluster`. */
  readonly cluster: string;
  readonly metadata: JsonObject;
  /** Like `envoy 1.40.0`; "" when it did not say. */
  readonly userAgent: string;
  /** The state of the world, or incremental. */
  readonly variant: VariantName;
}

/** Makes what the server hands out; the control plane implements it. */
export interface SnapshotSource {
  /**
   * What the client is to have from now on. A refusal ends its stream with `INVALID_ARGUMENT` and
   * the issues as text. `clientId` is unique per stream and is what `AdsServer.push` takes.
   */
  connect(clientId: string, node: ClientNode): Result<XdsSnapshot>;
  /**
   * The client asks by name for resources that its snapshot does not have, as one does that looks
   * routes up on demand. A source that can make them pushes a snapshot that has them; one that
   * cannot says so by `false`, and the client is told that they do not exist.
   */
  want(clientId: string, kind: ResourceKind, names: readonly string[]): boolean;
  /** The stream ended, whoever ended it. */
  disconnect(clientId: string): void;
}
