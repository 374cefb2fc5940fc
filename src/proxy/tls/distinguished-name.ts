import { children, content, type DerValue, readOid, readText, TAG } from "./der.ts";

/** Short names of attribute types (X.520), as OpenSSL and BoringSSL print them. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.13": "description",
  "2.5.4.17": "postalCode",
  "2.5.4.41": "name",
  "2.5.4.42": "GN",
  "2.5.4.43": "initials",
  "2.5.4.46": "dnQualifier",
  "2.5.4.65": "pseudonym",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.2.840.113549.1.9.2": "unstructuredName",
};

/** A name in the form of RFC 2253: the most specific part first, what is special escaped. */
export function formatName(name: DerValue): string {
  return children(name)
    .map((set) => children(set).map(formatAttribute).join("+"))
    .reverse()
    .join(",");
}

function formatAttribute(attribute: DerValue): string {
  const [type, value] = children(attribute);
  if (type === undefined || value === undefined) return "";
  const oid = readOid(type);
  const short = SHORT_NAMES[oid];
  // A type without a short name is written with its number, and its value as bytes (2.4).
  if (short !== undefined) return `${short}=${escape(readText(value))}`;
  const encoded = value.bytes.subarray(value.start, value.to).toString("hex").toUpperCase();
  return `${oid}=#${encoded}`;
}

/** The common name of a name; "" when there is none. */
export function commonName(name: DerValue): string {
  for (const set of children(name)) {
    for (const attribute of children(set)) {
      const [type, value] = children(attribute);
      if (type?.tag !== TAG.oid || value === undefined) continue;
      if (readOid(type) === "2.5.4.3") return content(value).toString("latin1");
    }
  }
  return "";
}

function escape(text: string): string {
  let escaped = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    const code = text.charCodeAt(at);
    const isEdge = at === 0 || at === text.length - 1;
    if (code < 0x20 || code >= 0x7f) {
      escaped += `\\${code.toString(16).toUpperCase().padStart(2, "0")}`;
    } else if (
      ',+"\\<>;'.includes(char) ||
      (char === "#" && at === 0) ||
      (char === " " && isEdge)
    ) {
      escaped += `\\${char}`;
    } else {
      escaped += char;
    }
  }
  return escaped;
}
