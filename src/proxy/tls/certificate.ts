import { createHash, X509Certificate } from "node:crypto";
import type { CertificateInfo } from "../../match/connection-info.ts";
import { children, content, type DerValue, readDer, readOid, readText, TAG } from "./der.ts";
import { commonName, formatName } from "./distinguished-name.ts";

/** A name of another type: which type, and its value as Envoy's matchers compare it. */
export interface OtherName {
  readonly oid: string;
  readonly value: string;
}

/** The subject alternative names of a certificate by their type (RFC 5280 4.2.1.6). */
export interface AlternativeNames {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly ip: readonly string[];
  readonly email: readonly string[];
  readonly other: readonly OtherName[];
  /** All values in the certificate's order, for messages. */
  readonly all: readonly string[];
}

const SAN_OID = "2.5.29.17";
const KEY_USAGE_OID = "2.5.29.15";
const BASIC_CONSTRAINTS_OID = "2.5.29.19";
const NAME_CONSTRAINTS_OID = "2.5.29.30";
const PURPOSE_OID = "2.5.29.37";

/** The parts of a certificate's signed half (RFC 5280 4.1). */
interface Parts {
  readonly issuer: DerValue;
  readonly subject: DerValue;
  /** Each extension's value by its identifier. */
  readonly extensions: ReadonlyMap<string, DerValue>;
}

/** What a certificate says; each part is read from its bytes when somebody first asks for it. */
export class Certificate implements CertificateInfo {
  readonly x509: X509Certificate;
  readonly #chain: () => readonly X509Certificate[];
  #parts: Parts | undefined = undefined;
  #names: AlternativeNames | undefined = undefined;
  #sha256 = "";

  /** `chain` is what it came with, itself first. */
  constructor(x509: X509Certificate, chain?: () => readonly X509Certificate[]) {
    this.x509 = x509;
    this.#chain = chain ?? (() => [x509]);
  }

  /** Every certificate of a PEM text; throws when one cannot be read. */
  static readAll(pem: string): Certificate[] {
    const blocks = pem.match(PEM_BLOCK) ?? [];
    return blocks.map((block) => new Certificate(new X509Certificate(block)));
  }

  get subject(): string {
    return formatName(this.#read().subject);
  }

  get issuer(): string {
    return formatName(this.#read().issuer);
  }

  get commonName(): string {
    return commonName(this.#read().subject);
  }

  get serial(): string {
    return this.x509.serialNumber.toLowerCase();
  }

  get sha256(): string {
    if (this.#sha256 === "")
      this.#sha256 = createHash("sha256").update(this.x509.raw).digest("hex");
    return this.#sha256;
  }

  get sha1(): string {
    return createHash("sha1").update(this.x509.raw).digest("hex");
  }

  /** SHA-256 of the public key with its algorithm, base64 (RFC 7469 2.4). */
  get spkiSha256(): string {
    const spki = this.x509.publicKey.export({ type: "spki", format: "der" });
    return createHash("sha256").update(spki).digest("base64");
  }

  get names(): AlternativeNames {
    this.#names ??= readNames(this.#read().extensions.get(SAN_OID));
    return this.#names;
  }

  get uriSans(): readonly string[] {
    return this.names.uri;
  }

  get dnsSans(): readonly string[] {
    return this.names.dns;
  }

  get ipSans(): readonly string[] {
    return this.names.ip;
  }

  get emailSans(): readonly string[] {
    return this.names.email;
  }

  get validFromMs(): number {
    return Date.parse(this.x509.validFrom);
  }

  get validToMs(): number {
    return Date.parse(this.x509.validTo);
  }

  get pem(): string {
    return this.x509.toString();
  }

  /** What it came with, itself first. */
  get chain(): readonly X509Certificate[] {
    return this.#chain();
  }

  get chainPem(): string {
    return this.chain.map((certificate) => certificate.toString()).join("");
  }

  /** Whether its key may sign handshakes: true when the certificate does not restrict it. */
  get allowsDigitalSignature(): boolean {
    return this.#allowsUsage(0x80);
  }

  get allowsCertificateSigning(): boolean {
    return this.#allowsUsage(0x04);
  }

  /** Whether its key may sign certificates or revocation lists. */
  get allowsSigning(): boolean {
    return this.#allowsUsage(0x06);
  }

  #allowsUsage(mask: number): boolean {
    const usage = this.#read().extensions.get(KEY_USAGE_OID);
    if (usage === undefined) return true;
    const bits = content(readDer(usage.bytes, usage.from, usage.to));
    return ((bits[1] ?? 0) & mask) !== 0;
  }

  /** The extended key usages, by their identifiers; `undefined` when there is no such restriction. */
  get purposes(): readonly string[] | undefined {
    const usage = this.#read().extensions.get(PURPOSE_OID);
    return usage && children(readDer(usage.bytes, usage.from, usage.to)).map(readOid);
  }

  get hasNameConstraints(): boolean {
    return this.#read().extensions.has(NAME_CONSTRAINTS_OID);
  }

  /** Authorities that may stand below it; `undefined` is any number. */
  get pathLength(): number | undefined {
    const basic = this.#read().extensions.get(BASIC_CONSTRAINTS_OID);
    if (basic === undefined) return undefined;
    const length = children(readDer(basic.bytes, basic.from, basic.to)).find(
      ({ tag }) => tag === TAG.integer,
    );
    return length && Number(readInteger(content(length)));
  }

  #read(): Parts {
    this.#parts ??= readParts(this.x509.raw);
    return this.#parts;
  }
}

const PEM_BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** TBSCertificate: version [0], serial, algorithm, issuer, validity, subject, key, … [3] extensions. */
function readParts(raw: Buffer): Parts {
  const [signed] = children(readDer(raw, 0, raw.length));
  if (signed === undefined) throw new Error("certificate is empty");
  const fields = children(signed);
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [, , issuer, , subject] = fields;
  if (issuer === undefined || subject === undefined) throw new Error("certificate is cut off");
  const extensions = new Map<string, DerValue>();
  const wrapped = fields.find(({ tag }) => tag === 0xa3);
  const [list] = wrapped === undefined ? [] : children(wrapped);
  for (const extension of list === undefined ? [] : children(list)) {
    const [oid, ...rest] = children(extension);
    const value = rest.at(-1);
    if (oid !== undefined && value !== undefined) extensions.set(readOid(oid), value);
  }
  return { issuer, subject, extensions };
}

function readNames(extension: DerValue | undefined): AlternativeNames {
  const names = {
    dns: [] as string[],
    uri: [] as string[],
    ip: [] as string[],
    email: [] as string[],
    other: [] as OtherName[],
    all: [] as string[],
  };
  if (extension === undefined) return names;
  const list = readDer(extension.bytes, extension.from, extension.to);
  for (const name of children(list)) {
    const kind = NAME_KINDS[name.tag];
    if (name.tag === 0xa0) {
      const other = readOtherName(name);
      names.other.push(other);
      names.all.push(other.value);
    } else if (kind !== undefined) {
      const value = kind === "ip" ? formatIp(content(name)) : readText(name);
      names[kind].push(value);
      names.all.push(value);
    }
  }
  return names;
}

/** Context tags of a GeneralName. */
const NAME_KINDS: Readonly<Record<number, "email" | "dns" | "uri" | "ip">> = {
  129: "email",
  130: "dns",
  134: "uri",
  135: "ip",
};

/** OtherName ::= SEQUENCE { type-id, value [0] EXPLICIT ANY }. */
function readOtherName(name: DerValue): OtherName {
  const [oid, wrapped] = children(name);
  const value = wrapped === undefined ? undefined : children(wrapped)[0];
  if (oid === undefined || value === undefined) return { oid: "", value: "" };
  return { oid: readOid(oid), value: otherValue(value) };
}

function otherValue(value: DerValue): string {
  switch (value.tag) {
    case TAG.oid:
      return readOid(value);
    case TAG.boolean:
      return content(value)[0] === 0 ? "false" : "true";
    case TAG.integer:
    case TAG.enumerated:
      return readInteger(content(value));
    case TAG.null:
      return "";
    default:
      return readText(value);
  }
}

function readInteger(bytes: Buffer): string {
  const size = BigInt(bytes.length * 8);
  return BigInt.asIntN(Number(size), BigInt(`0x${bytes.toString("hex") || "0"}`)).toString();
}

function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join(".");
  if (bytes.length !== 16) return "";
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return shortenIpv6(groups);
}

/** RFC 5952: the first of the longest runs of zeros, of at least two, is left out. */
function shortenIpv6(groups: readonly string[]): string {
  let start = -1;
  let length = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === "0") to++;
    if (to - from > length) {
      start = from;
      length = to - from;
    }
  }
  if (start === -1) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}
