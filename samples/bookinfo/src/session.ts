import { createHmac, timingSafeEqual } from "node:crypto";

const COOKIE = "session";
const NAME_CHARACTERS_MAX = 64;

/**
 * Keeps who is signed in inside a signed cookie, so that every replica of the page can read it.
 * Nothing is checked when signing in: the name only chooses routes.
 */
export class Sessions {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  /** The `set-cookie` value that signs in, or out when there is no user. */
  cookieFor(user: string | undefined): string {
    const attributes = "Path=/; HttpOnly; SameSite=Lax";
    if (user === undefined) return `${COOKIE}=; Max-Age=0; ${attributes}`;
    const name = Buffer.from(user.slice(0, NAME_CHARACTERS_MAX)).toString("base64url");
    return `${COOKIE}=${name}.${this.#sign(name)}; ${attributes}`;
  }

  /** Who is signed in, by a `cookie` header; nobody when the signature is not ours. */
  userOf(cookieHeader: string | undefined): string | undefined {
    for (const part of (cookieHeader ?? "").split(";")) {
      const [key = "", value = ""] = part.trim().split("=");
      if (key !== COOKIE) continue;
      const [name = "", signature = ""] = value.split(".");
      const expected = Buffer.from(this.#sign(name));
      const actual = Buffer.from(signature);
      if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) continue;
      return headerSafe(Buffer.from(name, "base64url").toString("utf8"));
    }
    return undefined;
  }

  #sign(name: string): string {
    return createHmac("sha256", this.#key).update(name).digest("base64url");
  }
}

/** A name as it may stand in a header: printable ASCII, as `end-user` carries it. */
function headerSafe(name: string): string | undefined {
  const safe = name.replace(/[^\x20-\x7e]/g, "?").trim();
  return safe === "" ? undefined : safe;
}
