import {
  type TlsCertificate,
  TlsCertificateSchema,
  type TlsSessionTicketKeys,
  TlsSessionTicketKeysSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type Secret as Message,
  SecretSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { Secret } from "../secret/secret.ts";
import type { CertificateConfig, Pem } from "../tls/tls-config.ts";
import { loadDataSource } from "./data-source.ts";
import { decodeValidation, type FileList } from "./tls-validation.ts";

/** A session ticket key: a name of 16 bytes, and 32 each for authenticating and encrypting. */
const TICKET_KEY_BYTES = 80;

/** Decodes a secret, reading the files that it names; `undefined` after an issue. */
export function decodeSecret(message: Message, issues: Issue[]): Secret | undefined {
  const before = issues.length;
  const fields = ["name", "tls_certificate", "session_ticket_keys", "validation_context"];
  issues.push(...refuseFields(SecretSchema, message, fields, ""));
  if (message.type.case === undefined) issues.push({ path: "type", message: "is missing" });
  const files: FileList = [];
  const secret = decodeType(message, files, issues);
  return issues.length === before ? secret : undefined;
}

function decodeType({ name, type }: Message, files: FileList, issues: Issue[]): Secret | undefined {
  switch (type.case) {
    case "tlsCertificate": {
      const value = decodeCertificate(type.value, name, "tls_certificate", issues, files);
      const watchedDirectory = type.value.watchedDirectory?.path ?? "";
      return value && { kind: "certificate", name, value, files, watchedDirectory };
    }
    case "validationContext": {
      const value = decodeValidation(type.value, "validation_context", issues, files);
      const watchedDirectory = type.value.watchedDirectory?.path ?? "";
      return { kind: "validation", name, value, files, watchedDirectory };
    }
    case "sessionTicketKeys": {
      const value = decodeTicketKeys(type.value, "session_ticket_keys", issues);
      return { kind: "ticketKeys", name, value, files, watchedDirectory: "" };
    }
    case "genericSecret":
    case undefined:
      return undefined;
  }
}

/** Decodes a certificate with its key; `undefined` after an issue in Envoy's words. */
export function decodeCertificate(
  message: TlsCertificate,
  name: string,
  path: string,
  issues: Issue[],
  files: FileList = [],
): CertificateConfig | undefined {
  const fields = ["certificate_chain", "private_key", "password", "watched_directory"];
  issues.push(...refuseFields(TlsCertificateSchema, message, fields, path));
  const before = issues.length;
  const pem = (field: "certificateChain" | "privateKey", at: string): Pem | undefined => {
    const loaded = loadDataSource(message[field], joinPath(path, at), issues);
    if (loaded === undefined) return undefined;
    if (loaded.file !== undefined) files.push(loaded.file);
    return { text: loaded.bytes.toString("utf8"), from: loaded.from };
  };
  const chain = pem("certificateChain", "certificate_chain");
  const key = pem("privateKey", "private_key");
  const password = loadDataSource(message.password, joinPath(path, "password"), issues);
  if (chain !== undefined && key !== undefined) {
    return { name, chain, key, password: password?.bytes.toString("utf8") };
  }
  if (issues.length > before) return undefined;
  if (chain === undefined) {
    const what = "Failed to load incomplete certificate from : certificate chain not set";
    issues.push({ path, message: what });
  } else {
    issues.push({ path, message: "Failed to load incomplete private key from path: " });
  }
  return undefined;
}

/** Decodes keys of session tickets. */
export function decodeTicketKeys(
  message: TlsSessionTicketKeys,
  path: string,
  issues: Issue[],
): Buffer[] {
  issues.push(...refuseFields(TlsSessionTicketKeysSchema, message, ["keys"], path));
  return message.keys.flatMap((source, at) => {
    const keyPath = joinPath(path, `keys[${at}]`);
    const loaded = loadDataSource(source, keyPath, issues);
    if (loaded === undefined) return [];
    if (loaded.bytes.length !== TICKET_KEY_BYTES) {
      const what = `Incorrect TLS session ticket key length. Length ${loaded.bytes.length}, expected length ${TICKET_KEY_BYTES}.`;
      issues.push({ path: keyPath, message: what });
    }
    return [loaded.bytes];
  });
}
