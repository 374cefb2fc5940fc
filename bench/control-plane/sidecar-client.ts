import { create, toBinary } from "@bufbuild/protobuf";
import { NodeSchema } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import {
  deltaRequest,
  METHOD_PATH,
  type NamedResource,
  nameFields,
  type ReadResources,
  readResources,
  readResponse,
  sotwRequest,
  type Variant,
  type WireKind,
  type WireResponse,
} from "./discovery-wire.ts";
import { H2Stream } from "./h2-stream.ts";
import { endpointAddress, type Mark, NAMESPACE } from "./mesh-objects.ts";
import { merge, type NameList, nameList, withoutFound } from "./name-list.ts";

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
  names: NameList;
  /** What names further resources; of the others only the last response's. */
  found: readonly NamedResource[];
  /** Names that have not come yet. */
  missing: ReadonlySet<string>;
}

const NO_NAMES = Buffer.alloc(0);

/** The kind that is asked for by the names in another. */
const CHILD: Partial<Record<WireKind, WireKind>> = { cluster: "endpoint", listener: "route" };

/** Most clients of a process get mostly the same bytes: what is in them is found once. */
const lastRead = new Map<WireKind, ReadResources>();

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
    this.#ask(kind);
    const { found } = this.#read(kind, response.resources);
    if (held.missing.size > 0) held.missing = withoutFound(held.missing, found);
    const child = CHILD[kind];
    if (child !== undefined) {
      const isWhole = this.#options.variant === "sotw" || held.found.length === 0;
      held.found = isWhole ? found : merge(held.found, found, response.removed);
      this.#subscribe(child, nameList(held.found));
    }
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
    return this.#held[kind].missing.size === 0;
  }

  #read(kind: WireKind, bytes: Buffer): ReadResources {
    const last = lastRead.get(kind);
    if (last?.bytes.equals(bytes) === true) return last;
    const read = readResources(this.#options.variant, kind, bytes, last);
    lastRead.set(kind, read);
    return read;
  }

  /** Asks for a kind the first time, or acknowledges what has come. */
  #ask(kind: WireKind, node?: Uint8Array): void {
    const { version, nonce, names } = this.#held[kind];
    const first = node === undefined ? {} : { node };
    this.#stream.send(
      this.#options.variant === "sotw"
        ? sotwRequest({ kind, version, nonce, names: names.bytes, ...first })
        : deltaRequest({ kind, nonce, subscribe: NO_NAMES, unsubscribe: [], ...first }),
    );
  }

  #subscribe(kind: WireKind, names: NameList): void {
    const held = this.#held[kind];
    const before = held.names;
    if (names === before) return;
    const added =
      before.list.length === 0
        ? names.set
        : new Set(names.list.filter((name) => !before.set.has(name)));
    const removed = before.list.filter((name) => !names.set.has(name));
    held.names = names;
    if (added.size === 0 && removed.length === 0) return;
    const stillMissing = [...held.missing].filter((name) => names.set.has(name));
    held.missing = stillMissing.length === 0 ? added : new Set([...stillMissing, ...added]);
    if (this.#options.variant === "sotw") this.#ask(kind);
    else {
      const subscribe = before.list.length === 0 ? names.bytes : nameFields([...added]);
      this.#stream.send(deltaRequest({ kind, nonce: "", subscribe, unsubscribe: removed }));
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
  const names = nameList([]);
  return { version: "", nonce: "", hasCome: false, names, found: [], missing: names.set };
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
