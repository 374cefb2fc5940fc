import { create, toBinary } from "@bufbuild/protobuf";
import { NodeSchema } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import {
  deltaRequest,
  METHOD_PATH,
  type NamedResource,
  nameFields,
  readResources,
  readResponse,
  sotwRequest,
  type Variant,
  type WireKind,
  type WireResponse,
} from "./discovery-wire.ts";
import { H2Stream } from "./h2-stream.ts";
import { endpointAddress, type Mark, NAMESPACE } from "./mesh-objects.ts";

/** What a client needs. */
export interface SidecarClientOptions {
  readonly port: number;
  readonly variant: Variant;
  /** From 0; it stands beside the first endpoint of the service of that number. */
  readonly index: number;
  /** It has acknowledged everything that it asks for. */
  readonly onReady: () => void;
  /** It has acknowledged what was awaited. */
  readonly onMark: () => void;
  /** It was turned away while it had not everything yet, and comes back after a while. */
  readonly onRetry: () => void;
  /** It lost what it had, or was turned away too often. */
  readonly onFailed: (reason: string) => void;
}

/**
 * The longest time after which one that was turned away comes back; it is drawn. Envoy's grows from
 * half a second to half a minute, which would make those who turn away look slower than they are.
 */
const RETRY_MS_MAX = 200;
const RETRIES_MAX = 200;

/** What the responses of one kind have amounted to. */
interface Held {
  version: string;
  nonce: string;
  hasCome: boolean;
  /** What is asked for by name. */
  names: ReadonlySet<string>;
  nameBytes: Buffer;
  /** Delta: by name, what each resource asks for in turn. */
  readonly asksFor: Map<string, readonly string[]>;
  /** Names that have come. */
  readonly come: Set<string>;
}

/** The kind that is asked for by the names in another. */
const CHILD: Partial<Record<WireKind, WireKind>> = { cluster: "endpoint", listener: "route" };

/** Most clients of a process get the same bytes: what is in them is found once. */
const lastRead = new Map<
  string,
  { readonly bytes: Buffer; readonly found: readonly NamedResource[] }
>();

/**
 * A sidecar as the control plane sees one: asks for clusters, for their endpoints, then for listeners
 * and for their routes, as Envoy does, and acknowledges each response at once. It keeps no resource.
 */
export class SidecarClient {
  readonly #options: SidecarClientOptions;
  readonly #prng: Prng;
  #stream: H2Stream;
  #held = nothingOfAll();
  #retries = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #bytesBefore = 0;
  #mark: Mark | undefined;
  #hasAskedListeners = false;
  #isReady = false;
  responses = 0;

  constructor(options: SidecarClientOptions) {
    this.#options = options;
    this.#prng = createPrng(options.index + 1);
    this.#stream = this.#open();
    this.#ask("cluster", nodeOf(options.index));
  }

  get bytesReceived(): number {
    return this.#bytesBefore + this.#stream.bytesReceived;
  }

  /** From now on a response with this is awaited. */
  await(mark: Mark): void {
    this.#mark = mark;
  }

  close(): void {
    clearTimeout(this.#retryTimer);
    this.#stream.close();
  }

  #open(): H2Stream {
    const { port, variant } = this.#options;
    return new H2Stream(port, METHOD_PATH[variant], {
      onMessage: (message) => this.#take(message),
      onEnd: (reason) => this.#lose(reason),
    });
  }

  #lose(reason: string): void {
    if (this.#isReady || this.#retries === RETRIES_MAX) {
      this.#options.onFailed(reason);
      return;
    }
    this.#options.onRetry();
    this.#retries += 1;
    this.#retryTimer = setTimeout(() => {
      this.#bytesBefore += this.#stream.bytesReceived;
      this.#held = nothingOfAll();
      this.#hasAskedListeners = false;
      this.#stream = this.#open();
      this.#ask("cluster", nodeOf(this.#options.index));
    }, this.#prng.next() * RETRY_MS_MAX);
  }

  #take(message: Buffer): void {
    this.responses += 1;
    const response = readResponse(this.#options.variant, message);
    const { kind } = response;
    if (kind === undefined) return;
    const held = this.#held[kind];
    held.version = response.version;
    held.nonce = response.nonce;
    held.hasCome = true;
    const isDelta = this.#options.variant === "delta";
    this.#ask(kind);
    const found = readOnce(this.#options.variant, kind, response);
    if (isDelta) {
      for (const name of response.removed) {
        held.asksFor.delete(name);
        held.come.delete(name);
      }
    } else if (kind === "cluster" || kind === "listener") held.asksFor.clear();
    for (const { name, asksFor } of found) {
      held.come.add(name);
      if (asksFor.length > 0) held.asksFor.set(name, asksFor);
      else held.asksFor.delete(name);
    }
    const child = CHILD[kind];
    if (child !== undefined) this.#subscribe(child, new Set([...held.asksFor.values()].flat()));
    if (!this.#hasAskedListeners && kind === "endpoint" && this.#hasAll("endpoint")) {
      this.#hasAskedListeners = true;
      this.#ask("listener");
    }
    this.#note(kind, message, response);
  }

  /** Tells its owner what has happened, after everything that it had to answer. */
  #note(kind: WireKind, message: Buffer, { removed, resources }: WireResponse): void {
    const { onReady, onMark, variant } = this.#options;
    if (!this.#isReady && this.#held.listener.hasCome && this.#hasAll("route")) {
      this.#isReady = true;
      onReady();
    }
    const mark = this.#mark;
    if (mark === undefined || mark.kind !== kind) return;
    const isIn = message.includes(mark.text);
    const isRemoved = variant === "delta" && removed.some((name) => name.includes(mark.text));
    const isWhole = variant === "sotw" && resources.length > 0;
    if (mark.isGone ? isRemoved || (isWhole && !isIn) : isIn) {
      this.#mark = undefined;
      onMark();
    }
  }

  #hasAll(kind: WireKind): boolean {
    const { names, come } = this.#held[kind];
    for (const name of names) if (!come.has(name)) return false;
    return true;
  }

  /** Asks for a kind the first time, or acknowledges what has come. */
  #ask(kind: WireKind, node?: Uint8Array): void {
    const { version, nonce, nameBytes } = this.#held[kind];
    const first = node === undefined ? {} : { node };
    this.#stream.send(
      this.#options.variant === "sotw"
        ? sotwRequest({ kind, version, nonce, names: nameBytes, ...first })
        : deltaRequest({ kind, nonce, subscribe: [], unsubscribe: [], ...first }),
    );
  }

  #subscribe(kind: WireKind, names: ReadonlySet<string>): void {
    const held = this.#held[kind];
    const added = [...names].filter((name) => !held.names.has(name));
    const removed = [...held.names].filter((name) => !names.has(name));
    if (added.length === 0 && removed.length === 0) return;
    held.names = names;
    if (this.#options.variant === "sotw") {
      held.nameBytes = nameFields([...names]);
      this.#ask(kind);
    } else {
      this.#stream.send(deltaRequest({ kind, nonce: "", subscribe: added, unsubscribe: removed }));
    }
  }
}

function nothingOfAll(): Record<WireKind, Held> {
  return {
    cluster: nothingHeld(),
    endpoint: nothingHeld(),
    listener: nothingHeld(),
    route: nothingHeld(),
  };
}

function nothingHeld(): Held {
  return {
    version: "",
    nonce: "",
    hasCome: false,
    names: new Set(),
    nameBytes: Buffer.alloc(0),
    asksFor: new Map(),
    come: new Set(),
  };
}

function readOnce(
  variant: Variant,
  kind: WireKind,
  { resources }: WireResponse,
): readonly NamedResource[] {
  const last = lastRead.get(kind);
  if (last?.bytes.equals(resources) === true) return last.found;
  const found = readResources(variant, kind, resources);
  lastRead.set(kind, { bytes: resources, found });
  return found;
}

function nodeOf(index: number): Uint8Array {
  const ip = endpointAddress(index, 0);
  const pod = `client-${index}`;
  const node = create(NodeSchema, {
    id: `sidecar~${ip}~${pod}.${NAMESPACE}~${NAMESPACE}.svc.cluster.local`,
    cluster: `client.${NAMESPACE}`,
    metadata: {
      NAME: pod,
      NAMESPACE,
      CLUSTER_ID: "Kubernetes",
      MESH_ID: "cluster.local",
      ISTIO_VERSION: "1.31.0",
      SERVICE_ACCOUNT: "default",
      INSTANCE_IPS: ip,
      LABELS: { app: `service-${index}`, version: "v1" },
    },
    userAgentName: "envoy",
    userAgentVersionType: {
      case: "userAgentBuildVersion",
      value: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } },
    },
  });
  return toBinary(NodeSchema, node);
}
