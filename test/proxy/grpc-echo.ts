import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";

const MESSAGE_BYTES_MAX = 8 << 20;

const same = (bytes: Buffer): Buffer => bytes;
const types = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

const SERVICE = {
  unary: { path: "/test.Echo/Unary", requestStream: false, responseStream: false, ...types },
  collect: { path: "/test.Echo/Collect", requestStream: true, responseStream: false, ...types },
  repeat: { path: "/test.Echo/Repeat", requestStream: false, responseStream: true, ...types },
  chat: { path: "/test.Echo/Chat", requestStream: true, responseStream: true, ...types },
  fail: { path: "/test.Echo/Fail", requestStream: false, responseStream: false, ...types },
  never: { path: "/test.Echo/Never", requestStream: false, responseStream: false, ...types },
} satisfies ServiceDefinition;

/** A gRPC server of bytes, which says how many calls were cancelled. */
export interface GrpcEcho {
  readonly port: number;
  readonly cancelled: () => number;
  /** Attempts of `Fail` by their first metadata `x-key`. */
  readonly attempts: Map<string, number>;
  stop(): void;
}

/** Starts one; on 127.0.0.1 and any port unless told otherwise. */
export async function startGrpcEcho(address = "127.0.0.1:0"): Promise<GrpcEcho> {
  let cancelled = 0;
  const attempts = new Map<string, number>();
  const server = new Server({ "grpc.max_receive_message_length": MESSAGE_BYTES_MAX });
  server.addService(SERVICE, {
    unary(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      const metadata = new Metadata();
      for (const value of call.metadata.get("x-asked")) metadata.add("x-told", value);
      for (const value of call.metadata.get("x-some-bin")) metadata.add("x-some-bin", value);
      call.sendMetadata(metadata);
      const trailer = new Metadata();
      trailer.set("x-trailer", "t");
      answer(null, call.request, trailer);
    },
    collect(call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      let bytes = 0;
      call.on("data", (message: Buffer) => (bytes += message.length));
      call.on("end", () => answer(null, Buffer.from(String(bytes))));
    },
    repeat(call: ServerWritableStream<Buffer, Buffer>) {
      const count = Number(call.metadata.get("x-count")[0]);
      let sent = 0;
      const send = (): void => {
        while (sent < count) {
          sent++;
          if (!call.write(call.request)) return void call.once("drain", send);
        }
        call.end();
      };
      call.on("cancelled", () => cancelled++);
      send();
    },
    chat(call: ServerDuplexStream<Buffer, Buffer>) {
      call.on("cancelled", () => cancelled++);
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
    fail(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) {
      const key = String(call.metadata.get("x-key")[0]);
      const attempt = (attempts.get(key) ?? 0) + 1;
      attempts.set(key, attempt);
      const [code = "0", until = "100"] = call.request.toString().split(" ");
      if (attempt > Number(until)) answer(null, Buffer.from(`attempt ${attempt}`));
      else answer({ code: Number(code), details: `failed 100 % with ${code}` });
    },
    never(call: ServerUnaryCall<Buffer, Buffer>) {
      call.on("cancelled", () => cancelled++);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, attempts, cancelled: () => cancelled, stop: () => server.forceShutdown() };
}

/** What came of one call. */
export interface CallOutcome {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly Buffer[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
}

interface CallOptions {
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  readonly deadlineMs?: number;
  /** After so many messages. */
  readonly cancelsAfter?: number;
}

/** A client of it, over a connection of its own. */
export class GrpcEchoClient {
  readonly #client: Client;

  /** `authority` is what it asks for where that is not the address. */
  constructor(port: number, host = "127.0.0.1", authority?: string) {
    this.#client = new Client(`${host}:${port}`, credentials.createInsecure(), {
      ...(authority === undefined ? {} : { "grpc.default_authority": authority }),
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Sends the messages of one call and reads all that comes back. */
  call(
    method: keyof typeof SERVICE,
    messages: readonly Buffer[],
    options: CallOptions = {},
  ): Promise<CallOutcome> {
    const { path } = SERVICE[method];
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
    const deadline = Date.now() + (options.deadlineMs ?? 20_000);
    // To gRPC every call is one of two streams.
    const call = this.#client.makeBidiStreamRequest(path, same, same, metadata, { deadline });
    return new Promise((resolve) => {
      const came: Buffer[] = [];
      let head: Readonly<Record<string, unknown>> = {};
      call.on("metadata", (given: Metadata) => (head = lasting(given)));
      call.on("error", (_error: ServiceError) => undefined);
      call.on("data", (message: Buffer) => {
        came.push(message);
        if (came.length === options.cancelsAfter) call.cancel();
      });
      call.on("status", ({ code, details, metadata: last }) =>
        resolve({ code, details, messages: came, metadata: head, trailers: lasting(last) }),
      );
      let at = 0;
      const send = (): void => {
        for (;;) {
          const message = messages[at++];
          if (message === undefined) return void call.end();
          if (!call.write(message)) return void call.once("drain", send);
        }
      };
      send();
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Without what no two calls share. */
function lasting(metadata: Metadata): Readonly<Record<string, unknown>> {
  const all = Object.entries(metadata.toJSON());
  const own = new Set(["date", "server", "x-envoy-upstream-service-time"]);
  return Object.fromEntries(all.filter(([name]) => !own.has(name)));
}
