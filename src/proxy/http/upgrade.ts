import type { Route } from "../../match/route.ts";
import { opensTunnel } from "./framing.ts";
import type { HttpConfig } from "./http-config.ts";
import type { InformedStream } from "./http-stream-info.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/**
 * Whether the protocol may change, or a tunnel open: the route decides, where it says nothing the
 * listener. A CONNECT that no route takes goes on to be told so.
 */
export function allowsUpgrade(
  { method, upgrade }: RequestHead,
  route: Route | undefined,
  config: HttpConfig,
): boolean {
  const isConnect = method === "CONNECT";
  if (isConnect && route === undefined) return true;
  // What would be spoken in a tunnel that is a WebSocket as well, nobody knows.
  if (isConnect && upgrade !== "") return false;
  const wanted = isConnect ? "connect" : upgrade.toLowerCase();
  // One that was passed over.
  if (wanted === "") return true;
  const action = route?.action;
  const policy = action?.kind === "cluster" ? action.upgrades.get(wanted) : undefined;
  return policy?.isEnabled ?? config.upgrades.has(wanted);
}

/** Whether the response's end is that of a tunnel which the upstream had no other way to end. */
export function endsTunnel({ method, status, router }: InformedStream): boolean {
  const isTunnel = status === 101 || opensTunnel(method, status);
  return isTunnel && router.search.last?.protocol === "HTTP/1.1";
}

/** Takes out an upgrade that nobody speaks, as Envoy does with h2c; false for another. */
export function passOverUpgrade(head: RequestHead): boolean {
  if (head.upgrade.toLowerCase() !== "h2c") return false;
  head.upgrade = "";
  head.headers.remove("http2-settings");
  return true;
}

/** Of the refusal of a WebSocket Envoy sends the head only, in HTTP/1.1; whether it is one. */
export function emptyRefusal(
  { head, protocol, router }: InformedStream,
  response: ResponseHead,
): boolean {
  if (head.upgrade.toLowerCase() !== "websocket") return false;
  if (protocol === "HTTP/2" || router.search.last?.protocol === "HTTP/2") return false;
  response.headers.set("content-length", "0");
  response.contentLength = 0;
  return true;
}
