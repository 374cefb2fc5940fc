import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { ExportTraceServiceRequestSchema } from "../../src/api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js";
import { ListOfSpansSchema } from "../../src/api/gen/zipkin_pb.js";
import { until } from "../controlplane/until.ts";

/** One report as it came, its body as JSON. */
export interface SpanReport {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: unknown;
  readonly spans: readonly ReportedSpan[];
}

/** A span of any format, as JSON. */
export type ReportedSpan = Readonly<Record<string, unknown>>;

/** A collector of traces by HTTP: Zipkin's JSON and protobuf (`/zipkin…`), and OTLP. */
export class SpanCollector {
  readonly #server: Server;
  readonly reports: SpanReport[] = [];
  /** What it answers. */
  status = 202;
  /** Whether it answers at all. */
  answers = true;

  private constructor() {
    this.#server = createServer((request, response) => {
      void readBody(request).then((body) => {
        this.reports.push(readReport(request, body));
        if (this.answers) response.writeHead(this.status).end();
      });
    });
  }

  static async start(): Promise<SpanCollector> {
    const collector = new SpanCollector();
    collector.#server.listen(0, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** But for those of strangers who look at any port that is open. */
  get spans(): readonly ReportedSpan[] {
    const all = this.reports.flatMap(({ spans }) => spans);
    return all.filter((span) => !JSON.stringify(span).includes("/metrics"));
  }

  clear(): void {
    this.reports.length = 0;
  }

  /** Waits until so many have come. */
  async whenCame(count: number): Promise<readonly ReportedSpan[]> {
    await until(() => this.spans.length >= count, `${count} spans, of ${this.spans.length}`);
    return this.spans;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function readReport(request: IncomingMessage, bytes: Buffer): SpanReport {
  const { url: path = "", headers } = request;
  if (headers["content-type"] === "application/json") {
    const body = JSON.parse(bytes.toString("utf8")) as ReportedSpan[];
    return { path, headers, body, spans: body };
  }
  if (path.startsWith("/zipkin")) {
    const body = toJson(ListOfSpansSchema, fromBinary(ListOfSpansSchema, bytes));
    return { path, headers, body, spans: (body as { spans: ReportedSpan[] }).spans };
  }
  const schema = ExportTraceServiceRequestSchema;
  const body = toJson(schema, fromBinary(schema, bytes)) as unknown as OtlpBody;
  const spans = body.resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap((scope) => scope.spans),
  );
  return { path, headers, body, spans };
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly ReportedSpan[] }[];
  }[];
}
