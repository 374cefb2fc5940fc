import type { Route } from "../../match/route.ts";
import type { HttpConfig } from "./http-config.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/** Whether the protocol may change: the route decides, where it says nothing the listener. */
export function allowsUpgrade(
  { upgrade }: RequestHead,
  route: Route | undefined,
  config: HttpConfig,
): boolean {
  const wanted = upgrade.toLowerCase();
  const action = route?.action;
  const policy = action?.kind === "cluster" ? action.upgrades.get(wanted) : undefined;
  return policy?.isEnabled ?? config.upgrades.has(wanted);
}

/** Takes out an upgrade that nobody speaks, as Envoy does with h2c; false for another. */
export function passOverUpgrade(head: RequestHead): boolean {
  if (head.upgrade.toLowerCase() !== "h2c") return false;
  head.upgrade = "";
  head.headers.remove("http2-settings");
  return true;
}

/** Of the refusal of a WebSocket Envoy sends the head only; whether it is one. */
export function emptyRefusal({ upgrade }: RequestHead, response: ResponseHead): boolean {
  if (upgrade.toLowerCase() !== "websocket") return false;
  response.headers.set("content-length", "0");
  response.contentLength = 0;
  return true;
}
