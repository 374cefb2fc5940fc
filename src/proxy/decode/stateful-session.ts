import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type StatefulSession,
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from "../../api/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js";
import { CookieBasedSessionStateSchema } from "../../api/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js";
import { HeaderBasedSessionStateSchema } from "../../api/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.js";
import {
  type Cookie,
  CookieAttributeSchema,
  CookieSchema,
} from "../../api/gen/envoy/type/http/v3/cookie_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { cookieSession, headerSession, type SessionCookie } from "../http-filter/session-state.ts";
import {
  type SessionSettings,
  type SessionState,
  StatefulSessionFilter,
  sessionCounters,
} from "../http-filter/stateful-session.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

/** `envoy.filters.http.stateful_session` in a connection manager. */
export const STATEFUL_SESSION = extension(StatefulSessionSchema, (message, path, issues) => {
  const own = decodeSettings(message, path, issues);
  return {
    open: ({ context, name, statPrefix }: FilterScope) => {
      const counters = sessionCounters(context.counters, statPrefix, message.statPrefix);
      return (stream: FilterStream) => new StatefulSessionFilter(stream, name, own, counters);
    },
  };
});

/** Other sessions for a route, or none. */
export const STATEFUL_SESSION_OF_ROUTE = extension(
  StatefulSessionPerRouteSchema,
  (message, path, issues): SessionSettings => {
    const fields = ["disabled", "stateful_session"];
    issues.push(...refuseFields(StatefulSessionPerRouteSchema, message, fields, path));
    const { override } = message;
    return override.case === "statefulSession"
      ? decodeSettings(override.value, joinPath(path, "stateful_session"), issues)
      : OFF;
  },
);

const UNAVAILABLE = 503;

const OFF: SessionSettings = {
  filter: "stateful_session",
  state: undefined,
  isOff: true,
  isStrict: false,
  missingStatus: UNAVAILABLE,
};

const FIELDS = ["session_state", "strict", "stat_prefix", "status_on_strict_destination_not_found"];

function decodeSettings(message: StatefulSession, path: string, issues: Issue[]): SessionSettings {
  issues.push(...refuseFields(StatefulSessionSchema, message, FIELDS, path));
  const status = message.statusOnStrictDestinationNotFound;
  if (status !== 0 && (status < 200 || status > 599)) {
    const what = `${status} is no status of an answer: it must be in [200, 599]`;
    issues.push({ path: joinPath(path, "status_on_strict_destination_not_found"), message: what });
  }
  return {
    filter: "stateful_session",
    state: decodeState(message.sessionState, joinPath(path, "session_state"), issues),
    isOff: false,
    isStrict: message.strict,
    missingStatus: message.strict && status !== 0 ? status : UNAVAILABLE,
  };
}

const STATES: readonly Extension<SessionState>[] = [
  extension(CookieBasedSessionStateSchema, (message, path, issues) => {
    issues.push(...refuseFields(CookieBasedSessionStateSchema, message, ["cookie"], path));
    const cookiePath = joinPath(path, "cookie");
    return message.cookie && cookieSession(decodeCookie(message.cookie, cookiePath, issues));
  }),
  extension(HeaderBasedSessionStateSchema, (message, path, issues) => {
    issues.push(...refuseFields(HeaderBasedSessionStateSchema, message, ["name"], path));
    return headerSession(wireText(message.name).toLowerCase());
  }),
];

function decodeState(
  message: TypedExtensionConfig | undefined,
  path: string,
  issues: Issue[],
): SessionState | undefined {
  if (message === undefined) return undefined;
  const { name, typedConfig: any } = message;
  return decodeExtension(STATES, { name, any, path }, issues);
}

/** What would end the header line that a cookie is written in. */
const LINE_END = /[\0\r\n]/;

function decodeCookie(message: Cookie, path: string, issues: Issue[]): SessionCookie {
  issues.push(...refuseFields(CookieSchema, message, ["name", "ttl", "path", "attributes"], path));
  for (const [index, attribute] of message.attributes.entries()) {
    const at = joinPath(path, `attributes[${index}]`);
    issues.push(...refuseFields(CookieAttributeSchema, attribute, ["name", "value"], at));
  }
  for (const field of ["name", "path"] as const) {
    if (!LINE_END.test(message[field])) continue;
    issues.push({ path: joinPath(path, field), message: "must not have the end of a line in it" });
  }
  const ttlS = Number(message.ttl?.seconds ?? 0n);
  const parts = [
    ...(ttlS === 0 ? [] : [`Max-Age=${ttlS}`]),
    ...(message.path === "" ? [] : [`Path=${message.path}`]),
    ...message.attributes.map((one) => (one.value === "" ? one.name : `${one.name}=${one.value}`)),
    "HttpOnly",
  ];
  return {
    name: wireText(message.name),
    ttlS,
    path: wireText(message.path),
    attributes: parts.map((part) => `; ${wireText(part)}`).join(""),
  };
}
