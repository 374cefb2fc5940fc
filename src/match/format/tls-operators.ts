import { X509Certificate } from "node:crypto";
import type { CertificateInfo, TlsInfo } from "../connection-info.ts";
import type { StreamInfo } from "../stream-info.ts";
import { type Operator, type OperatorTable, text, unbuilt } from "./operator.ts";
import { compileTimeFormat } from "./time-format.ts";

type Side = (info: StreamInfo) => TlsInfo | undefined;
type Certificate = (info: StreamInfo) => CertificateInfo | undefined;

const downstream: Side = ({ connection }) => connection.tls;
const upstream: Side = (info) => info.upstream.tls;

const peer =
  (side: Side): Certificate =>
  (info) =>
    side(info)?.peer;
const local =
  (side: Side): Certificate =>
  (info) =>
    side(info)?.local;

/** As Envoy prints the times of a certificate when no format is given. */
const CERTIFICATE_TIME = "%b %e %H:%M:%S %Y %Z";

function certificateTime(
  certificate: Certificate,
  pick: (certificate: CertificateInfo) => number,
): Operator {
  return {
    argument: "optional",
    takesLength: false,
    create(argument) {
      const format = compileTimeFormat(argument || CERTIFICATE_TIME, false);
      return (info) => {
        const found = certificate(info);
        return found === undefined ? undefined : format(pick(found));
      };
    },
  };
}

/** The session and the names in its certificates. */
function sideOperators(prefix: string, side: Side): OperatorTable {
  return {
    [`${prefix}_TLS_VERSION`]: text((info) => side(info)?.version),
    [`${prefix}_TLS_CIPHER`]: text((info) => side(info)?.cipher),
    [`${prefix}_TLS_SESSION_ID`]: text((info) => side(info)?.sessionId),
    [`${prefix}_TLS_GROUP`]: unbuilt(`${prefix}_TLS_GROUP`),
    [`${prefix}_PEER_SUBJECT`]: text((info) => side(info)?.peer?.subject),
    [`${prefix}_PEER_ISSUER`]: text((info) => side(info)?.peer?.issuer),
    [`${prefix}_PEER_CERT`]: text((info) => encodePem(side(info)?.peer?.pem)),
    [`${prefix}_PEER_CERT_V_START`]: certificateTime(peer(side), (one) => one.validFromMs),
    [`${prefix}_PEER_CERT_V_END`]: certificateTime(peer(side), (one) => one.validToMs),
    ...sanOperators(`${prefix}_PEER`, peer(side)),
    ...sanOperators(`${prefix}_LOCAL`, local(side)),
  };
}

function sanOperators(prefix: string, certificate: Certificate): OperatorTable {
  const list = (pick: (one: CertificateInfo) => readonly string[]): Operator =>
    text((info) => {
      const found = certificate(info);
      return found && pick(found).join(",");
    });
  return {
    [`${prefix}_URI_SAN`]: list((one) => one.uriSans),
    [`${prefix}_DNS_SAN`]: list((one) => one.dnsSans),
    [`${prefix}_IP_SAN`]: list((one) => one.ipSans),
  };
}

function emailSan(certificate: Certificate): Operator {
  return text((info) => certificate(info)?.emailSans.join(","));
}

/** As Envoy writes a PEM text where no line end may stand. */
export function encodePem(pem: string | undefined): string | undefined {
  return pem?.replace(/[\n +/=]/g, (char) => encodeURIComponent(char));
}

/** Reads every certificate that the peer sent. */
function chain(read: (certificate: X509Certificate) => string): Operator {
  return text((info) => {
    const pem = info.connection.tls?.peer?.chainPem ?? "";
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    return blocks.map((block) => read(new X509Certificate(block))).join(",");
  });
}

const hex = (fingerprint: string): string => fingerprint.replaceAll(":", "").toLowerCase();

/** What is read from TLS sessions and their certificates. */
export const TLS_OPERATORS: OperatorTable = {
  ...sideOperators("DOWNSTREAM", downstream),
  ...sideOperators("UPSTREAM", upstream),
  UPSTREAM_SERVER_NAME: unbuilt("UPSTREAM_SERVER_NAME"),
  DOWNSTREAM_LOCAL_SUBJECT: text((info) => info.connection.tls?.local?.subject),
  DOWNSTREAM_LOCAL_EMAIL_SAN: emailSan(local(downstream)),
  DOWNSTREAM_PEER_EMAIL_SAN: emailSan(peer(downstream)),
  DOWNSTREAM_PEER_FINGERPRINT_256: text((info) => info.connection.tls?.peer?.sha256),
  DOWNSTREAM_PEER_FINGERPRINT_1: text((info) => info.connection.tls?.peer?.sha1),
  DOWNSTREAM_PEER_SERIAL: text((info) => info.connection.tls?.peer?.serial),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: chain((one) => hex(one.fingerprint256)),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: chain((one) => hex(one.fingerprint)),
  DOWNSTREAM_PEER_CHAIN_SERIALS: chain((one) => hex(one.serialNumber)),
  DOWNSTREAM_LOCAL_OTHERNAME_SAN: unbuilt("DOWNSTREAM_LOCAL_OTHERNAME_SAN"),
  DOWNSTREAM_PEER_OTHERNAME_SAN: unbuilt("DOWNSTREAM_PEER_OTHERNAME_SAN"),
  DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: unbuilt("DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256"),
  DOWNSTREAM_PEER_ISSUER_SERIAL: unbuilt("DOWNSTREAM_PEER_ISSUER_SERIAL"),
  TLS_JA3_FINGERPRINT: unbuilt("TLS_JA3_FINGERPRINT"),
  TLS_JA4_FINGERPRINT: unbuilt("TLS_JA4_FINGERPRINT"),
};
