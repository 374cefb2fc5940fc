import { once } from "node:events";
import type { Pod } from "../../config/pod.ts";
import type { LogOptions } from "../api-hooks.ts";
import type { RestRequest } from "./context.ts";
import { getObject } from "./context.ts";
import { ApiError } from "./status.ts";

/** `GET` of `pods/NAME/log`: what a container has written, as it was written. */
export async function serveLogs(request: RestRequest): Promise<void> {
  const { context, exchange } = request;
  const pod = getObject(request) as Pod;
  const { logs } = context.hooks;
  if (logs === undefined) {
    throw new ApiError("NotImplemented", "this server runs no pods, it has no logs");
  }
  for (const name of ["timestamps", "sinceTime", "limitBytes"]) {
    if (exchange.query.has(name) && (name !== "timestamps" || exchange.flag(name))) {
      throw new ApiError("BadRequest", `${name} is not supported yet for logs`);
    }
  }
  const aborter = new AbortController();
  const end = (): void => aborter.abort();
  exchange.response.once("close", end);
  context.signal.addEventListener("abort", end, { once: true });
  try {
    const chunks = logs(pod, logOptions(request, pod, aborter.signal));
    if (!(Symbol.asyncIterator in chunks)) throw new ApiError("BadRequest", chunks.message);
    await sendChunks(request, chunks, aborter.signal);
  } finally {
    context.signal.removeEventListener("abort", end);
  }
}

async function sendChunks(
  { exchange }: RestRequest,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const { response } = exchange;
  exchange.start(200, "text/plain; charset=utf-8");
  response.flushHeaders();
  for await (const chunk of chunks) {
    if (signal.aborted) break;
    // A client that reads slowly makes its source wait.
    if (!response.write(chunk)) {
      await once(response, "drain", { signal }).catch(() => undefined);
    }
  }
  response.end();
}

function logOptions({ exchange }: RestRequest, pod: Pod, signal: AbortSignal): LogOptions {
  const container = exchange.query.get("container") ?? pod.spec.containers[0]?.name;
  const tailLines = exchange.count("tailLines");
  const sinceSeconds = exchange.count("sinceSeconds");
  return {
    follow: exchange.flag("follow"),
    previous: exchange.flag("previous"),
    signal,
    ...(container === undefined ? {} : { container }),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceSeconds === undefined ? {} : { sinceSeconds }),
  };
}
