import { memoise } from "../base/memo.ts";
import type { ProxySettings } from "../model/proxy-settings.ts";
import type { ProxyTelemetry } from "../model/proxy-telemetry.ts";

/** What of a proxy shows in its listeners; the same value for proxies that agree. */
export interface ListenerSettings extends ProxySettings {
  readonly telemetry: ProxyTelemetry;
}

/** What a proxy does with connections, and what it tells of them. */
export const listenerSettings = memoise(
  (settings: ProxySettings, telemetry: ProxyTelemetry): ListenerSettings => ({
    ...settings,
    telemetry,
  }),
);
