import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  status as grpcStatus,
} from "@grpc/grpc-js";
import type { Node } from "../api/gen/envoy/config/core/v3/base_pb.js";
import { type BackoffOptions, keepRunning } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Rejection, ResourceType, TypeStatus } from "./resource-type.ts";
import { Subscription } from "./subscription.ts";
import { type Answer, type Ask, type VariantName, WIRE_VARIANTS } from "./wire-variant.ts";

/** Waits between streams, spread over the window; Envoy's own are 0.5 s to 30 s. */
const RECONNECT: BackoffOptions = { windowMsFirst: 250, windowMsMax: 10_000 };

/** A response larger than this ends the stream: a control plane that errs must not fill memory. */
const RESPONSE_BYTES_MAX = 128 * 1024 * 1024;

const CHANNEL: ChannelOptions = {
  "grpc.max_receive_message_length": RESPONSE_BYTES_MAX,
  // A peer that vanished without a word is noticed within 40 s.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // What waits between connections is `RECONNECT` alone.
  "grpc.enable_retries": 0,
};

/** What an `AdsClient` is made of. */
export interface AdsClientOptions {
  /** Control planes, `host:port`; each new stream takes the next one. */
  readonly addresses: readonly string[];
  readonly node: Node;
  readonly variant: VariantName;
  /** Whether every request names the node, not only the first of its stream. */
  readonly repeatsNode: boolean;
  /** The gRPC method of a service for one type; the aggregated service's when absent. */
  readonly method?: string;
  /** In the order in which they are asked for: CDS, EDS, LDS, RDS. */
  readonly types: readonly ResourceType[];
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Logger;
}

/** A request, and the node where it is the first of its stream. */
interface Request {
  readonly ask: Ask;
  readonly node: Node | undefined;
}

type Stream = ClientDuplexStream<Request, Answer>;

/**
 * The client of an aggregated discovery service (xDS protocol, "Aggregated Discovery Service"), in
 * state of the world or in delta. What was taken stays in use while the control plane is away; a
 * new stream says which versions are held, so that nothing need be sent again.
 */
export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  #stream: Stream | undefined = undefined;
  #isConnected = false;
  #isNodeSent = false;
  #isFlushSet = false;
  #attempts = 0;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#subscriptions = new Map(
      options.types.map((type) => [type.typeUrl, new Subscription(type, options.variant)]),
    );
  }

  /** Whether a stream stands on which the control plane has answered. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  status(): readonly TypeStatus[] {
    return [...this.#subscriptions.values()].map((subscription) => subscription.status());
  }

  /** Asks for exactly these resources of a type that is asked for by name. */
  setNames(typeUrl: string, names: ReadonlySet<string>): void {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) throw new Error(`type "${typeUrl}" was not declared`);
    if (subscription.setNames(names)) this.#flushSoon();
  }

  /** Delta: asks once more for a name that is asked for, so that it is answered once more. */
  askAgain(typeUrl: string, name: string): void {
    if (this.#subscriptions.get(typeUrl)?.askAgain(name) === true) this.#flushSoon();
  }

  /** Keeps a stream to one of the control planes until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, prng, log } = this.#options;
    await keepRunning(
      (streamSignal) => this.#runStream(streamSignal),
      {
        clock,
        prng,
        onEnd: (cause, delayMs) =>
          log.warn("stream to the control plane ended", {
            cause: cause instanceof Error ? cause.message : undefined,
            address: this.#address(-1),
            retryInMs: Math.round(delayMs),
          }),
      },
      RECONNECT,
      signal,
    );
  }

  #address(offset: number): string {
    const { addresses } = this.#options;
    return addresses[(this.#attempts + offset) % addresses.length] ?? "";
  }

  async #runStream(signal: AbortSignal): Promise<void> {
    const address = this.#address(0);
    this.#attempts++;
    const client = new Client(address, credentials.createInsecure(), CHANNEL);
    const variant = WIRE_VARIANTS[this.#options.variant];
    const stream: Stream = client.makeBidiStreamRequest(
      this.#options.method ?? variant.aggregatedMethod,
      ({ ask, node }: Request) => variant.encode(ask, node),
      (bytes: Buffer) => variant.decode(bytes),
    );
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      await this.#serve(stream);
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#stream = undefined;
      this.#isConnected = false;
      client.close();
    }
  }

  /** Settles when the stream has ended; rejects with its cause. */
  #serve(stream: Stream): Promise<void> {
    this.#stream = stream;
    this.#isNodeSent = false;
    for (const subscription of this.#subscriptions.values()) subscription.reset();
    return new Promise((resolve, reject) => {
      stream.on("data", (answer: Answer) => this.#onAnswer(stream, answer));
      // A stream that fails tells so twice; "status" is the later and always comes.
      stream.on("error", () => undefined);
      stream.on("status", ({ code, details }) => {
        if (code === grpcStatus.OK) resolve();
        else reject(new Error(`${grpcStatus[code]}: ${details}`));
      });
      this.#flush();
    });
  }

  #onAnswer(stream: Stream, answer: Answer): void {
    const { log } = this.#options;
    if (!this.#isConnected) {
      this.#isConnected = true;
      log.info("connected to the control plane", { address: this.#address(-1) });
    }
    const subscription = this.#subscriptions.get(answer.typeUrl);
    if (subscription === undefined) {
      log.warn("response of a type that was not asked for", { type: answer.typeUrl });
      return;
    }
    const applied = subscription.apply(answer);
    if (!(applied instanceof Promise)) {
      this.#note(subscription, answer, applied);
      return;
    }
    stream.pause();
    void applied.then((rejections) => {
      // On another stream this answer would mean nothing.
      if (this.#stream !== stream) return;
      this.#note(subscription, answer, rejections);
      stream.resume();
    });
  }

  #note(subscription: Subscription, answer: Answer, rejections: readonly Rejection[]): void {
    const reason = subscription.note(answer, rejections);
    if (reason !== undefined) {
      this.#options.log.warn("configuration refused", { type: answer.typeUrl, reason });
    }
    this.#flush();
  }

  /** Names change many times in one turn when clusters arrive; they are asked for once. */
  #flushSoon(): void {
    if (this.#isFlushSet) return;
    this.#isFlushSet = true;
    setImmediate(() => {
      this.#isFlushSet = false;
      this.#flush();
    });
  }

  #flush(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    for (const subscription of this.#subscriptions.values()) {
      const ask = subscription.nextRequest();
      if (ask === undefined) continue;
      const { node, repeatsNode } = this.#options;
      // The first request of a stream names the node; the rest need not.
      stream.write({ ask, node: this.#isNodeSent && !repeatsNode ? undefined : node });
      this.#isNodeSent = true;
    }
  }
}
