import type { ProxyContext } from "../context.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpConfig } from "./http-config.ts";
import type { RequestHead } from "./message-head.ts";
import { appendVia } from "./request-headers.ts";

/** Says how long the upstream took, where Envoy's own headers are not left out. */
export function tellServiceTime(
  headers: HeaderList,
  {
    config,
    context,
    times,
  }: {
    readonly config: HttpConfig;
    readonly context: ProxyContext;
    readonly times: { readonly requestEndMs: number };
  },
): void {
  if (config.suppressesEnvoyHeaders) return;
  const tookMs = Math.floor(context.clock.monotonicMs() - times.requestEndMs);
  headers.set("x-envoy-upstream-service-time", String(tookMs));
}

/** Adds what this proxy says in every response. */
export function prepareResponse(
  headers: HeaderList,
  {
    head,
    config,
    context,
  }: { readonly head: RequestHead; readonly config: HttpConfig; readonly context: ProxyContext },
): void {
  if (!headers.has("date")) headers.add("date", context.date.text());
  if (config.serverHeader === "overwrite") headers.set("server", config.serverName);
  else if (config.serverHeader === "append_if_absent" && !headers.has("server")) {
    headers.add("server", config.serverName);
  }
  if (config.via !== "") appendVia(headers, config.via);
  // Whoever asks for a trace is told its name.
  const isTraced = head.hasInternalHeaders && head.headers.has("x-envoy-force-trace");
  if (!config.returnsRequestId && !isTraced) return;
  const requestId = head.headers.get("x-request-id");
  if (requestId !== undefined) headers.set("x-request-id", requestId);
}
