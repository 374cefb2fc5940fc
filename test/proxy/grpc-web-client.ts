import { request } from "node:http";
import { Readable } from "node:stream";
import { create, createFileRegistry, type DescMethod, type DescService } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
  type StringValue,
  StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

/** The methods of `GrpcEcho`, whose bytes are messages of one string here. */
const METHODS = ["Unary", "Repeat", "Fail"] as const;

const TYPE = ".google.protobuf.StringValue";

/** The service as a file of protobuf would say it. */
function describeEcho(): DescService {
  const file: FileDescriptorProto = create(FileDescriptorProtoSchema, {
    name: "echo.proto",
    package: "test",
    syntax: "proto3",
    dependency: [file_google_protobuf_wrappers.proto.name ?? ""],
    service: [
      {
        name: "Echo",
        method: METHODS.map((name) => ({
          name,
          inputType: TYPE,
          outputType: TYPE,
          serverStreaming: name === "Repeat",
        })),
      },
    ],
  });
  const files = create(FileDescriptorSetSchema, {
    file: [file_google_protobuf_wrappers.proto, file],
  });
  const service = createFileRegistry(files).getService("test.Echo");
  if (service === undefined) throw new Error("there is no service");
  return service;
}

const ECHO = describeEcho();

/** What came of a call. */
export interface WebOutcome {
  readonly messages: readonly string[];
  /** The code's name, and what the server said, when it failed. */
  readonly error?: string;
  readonly told: string | null;
  readonly trailer: string | null;
}

/** Calls `GrpcEcho` as a browser would: with Connect's client of gRPC-Web, over HTTP/1.1. */
export class GrpcWebEchoClient {
  readonly #transport: Transport;

  /** `authority` is what it asks for where that is not the address. */
  constructor(port: number, host = "127.0.0.1", authority?: string) {
    this.#transport = createGrpcWebTransport({
      baseUrl: `http://${authority ?? `${host}:${port}`}`,
      fetch: (input, init) => fetchFrom({ host, port }, new Request(input, init)),
    });
  }

  async call(
    method: (typeof METHODS)[number],
    text: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<WebOutcome> {
    const found = ECHO.methods.find(({ name }) => name === method);
    if (found === undefined) throw new Error(`there is no ${method}`);
    const messages: string[] = [];
    try {
      const { told, trailer } = await this.#run(found, text, headers, messages);
      return { messages, told, trailer };
    } catch (error) {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      const told = metadata.get("x-told");
      return { messages, error: `${Code[code]}: ${rawMessage}`, told, trailer: null };
    }
  }

  async #run(
    method: DescMethod,
    text: string,
    headers: Readonly<Record<string, string>>,
    messages: string[],
  ): Promise<Pick<WebOutcome, "told" | "trailer">> {
    const input = create(StringValueSchema, { value: text });
    const signal = AbortSignal.timeout(20_000);
    const { methodKind } = method;
    if (methodKind === "unary") {
      const answer = await this.#transport.unary(
        { ...method, methodKind, input: StringValueSchema, output: StringValueSchema },
        signal,
        undefined,
        new Headers(headers),
        input,
      );
      messages.push(answer.message.value);
      return { told: answer.header.get("x-told"), trailer: answer.trailer.get("x-trailer") };
    }
    const answer = await this.#transport.stream(
      {
        ...method,
        methodKind: "server_streaming",
        input: StringValueSchema,
        output: StringValueSchema,
      },
      signal,
      undefined,
      new Headers(headers),
      once(input),
    );
    for await (const { value } of answer.message) messages.push(value);
    return { told: answer.header.get("x-told"), trailer: answer.trailer.get("x-trailer") };
  }
}

async function* once(message: StringValue): AsyncGenerator<StringValue> {
  yield message;
}

/** Asks a fixed address, whatever host the request is for, over a connection of its own. */
async function fetchFrom(
  { host, port }: { readonly host: string; readonly port: number },
  asked: Request,
): Promise<Response> {
  const { host: authority, pathname } = new URL(asked.url);
  const body = Buffer.from(await asked.arrayBuffer());
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host,
        port,
        path: pathname,
        method: asked.method,
        agent: false,
        headers: { ...Object.fromEntries(asked.headers), host: authority },
        signal: asked.signal,
      },
      (response) => {
        const headers = new Headers();
        for (const [name, value] of Object.entries(response.headersDistinct)) {
          for (const one of value ?? []) headers.append(name, one);
        }
        const stream = Readable.toWeb(response) as ReadableStream<Uint8Array>;
        resolve(new Response(stream, { status: response.statusCode ?? 0, headers }));
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
