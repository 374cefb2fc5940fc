import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { findCookie } from "../router/cookie.ts";
import type { SessionState } from "./stateful-session.ts";

/** A session whose host stands in a header, in base64. */
export function headerSession(name: string): SessionState {
  return {
    find: ({ headers }) => decodeText(headers.first(name) ?? ""),
    tell: (key, headers) => headers.set(name, Buffer.from(key, "latin1").toString("base64")),
  };
}

/** A cookie that keeps a session, and for which paths. */
export interface SessionCookie {
  readonly name: string;
  /** Seconds; 0 for as long as the browser likes. */
  readonly ttlS: number;
  readonly path: string;
  /** What follows its value, each part with its `; `. */
  readonly attributes: string;
}

/**
 * A session whose host stands in a cookie, in a protobuf message of its address (1) and of when it
 * ends (2, seconds since 1970), in base64.
 */
export function cookieSession({ name, ttlS, path, attributes }: SessionCookie): SessionState {
  const concerns = pathTest(path);
  return {
    find(head, nowMs) {
      if (!concerns(head.path)) return undefined;
      return readCookie(findCookie(head.headers, name), nowMs);
    },
    tell(key, headers, nowMs) {
      const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(key);
      if (ttlS > 0) writer.tag(2, WireType.Varint).uint64(Math.floor(nowMs / 1000) + ttlS);
      const value = Buffer.from(writer.finish()).toString("base64");
      headers.add("set-cookie", `${name}="${value}"${attributes}`);
    },
  };
}

function pathTest(path: string): (requested: string) => boolean {
  if (path === "" || path === "/") return () => true;
  if (path.endsWith("/")) return (requested) => requested.startsWith(path);
  return (requested) => {
    if (!requested.startsWith(path)) return false;
    return requested.length === path.length || "/?#".includes(requested[path.length] ?? "");
  };
}

/** The host that a cookie names; "" for none, or when its time is over. */
function readCookie(value: string, nowMs: number): string {
  const bytes = decodeBase64(value);
  if (bytes === undefined) return "";
  try {
    const reader = new BinaryReader(bytes);
    let address = "";
    let expires = 0;
    while (reader.pos < reader.len) {
      const [no, type] = reader.tag();
      if (no === 1 && type === WireType.LengthDelimited) address = reader.string();
      else if (no === 2 && type === WireType.Varint) expires = Number(reader.uint64());
      else reader.skip(type, no);
    }
    return expires !== 0 && nowMs / 1000 > expires ? "" : address;
  } catch {
    // Older ones are the address itself.
    return bytes.toString("latin1");
  }
}

function decodeText(text: string): string {
  return decodeBase64(text)?.toString("latin1") ?? "";
}

/** `undefined` for what is no base64, padding included; Node's own decoder takes anything. */
function decodeBase64(text: string): Buffer | undefined {
  if (text === "" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    return undefined;
  return Buffer.from(text, "base64");
}
