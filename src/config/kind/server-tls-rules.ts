import type { Issue } from "../../base/issue.ts";
import type { ServerTlsSettings } from "../server-tls.ts";
import { isCipherSuite, isEcdhCurve } from "../tls-names.ts";

/** The fields that bring certificates. */
const SOURCES = [
  "serverCertificate",
  "privateKey",
  "caCertificates",
  "tlsCertificates",
  "credentialName",
  "credentialNames",
] as const;

/** What Istio's webhook refuses about the TLS settings of a server. */
export function validateServerTls(tls: ServerTlsSettings, path: string): readonly Issue[] {
  return [
    ...validateCertificateSources(tls, path),
    ...validateMode(tls, path),
    ...validateNames(tls.cipherSuites, `${path}.cipherSuites`, "a cipher suite", isCipherSuite),
    ...validateNames(tls.ecdhCurves, `${path}.ecdhCurves`, "a key exchange group", isEcdhCurve),
    ...validateVersions(tls, path),
    ...validatePins(tls, path),
  ];
}

/** Envoy refuses the whole listener for a pin of another form, and one that is left out guards nothing. */
function validatePins(
  { verifyCertificateHash = [], verifyCertificateSpki = [] }: ServerTlsSettings,
  path: string,
): readonly Issue[] {
  const wrong = (field: string, pins: readonly string[], form: RegExp, words: string) =>
    pins.flatMap((pin, at): readonly Issue[] =>
      form.test(pin)
        ? []
        : [{ path: `${path}.${field}[${at}]`, message: `${words}: got "${pin}"` }],
    );
  return [
    ...wrong(
      "verifyCertificateHash",
      verifyCertificateHash,
      /^([0-9a-f]{64}|[0-9a-f]{2}(:[0-9a-f]{2}){31})$/i,
      "must be a SHA-256 in hexadecimal, 64 digits, with or without colons",
    ),
    ...wrong(
      "verifyCertificateSpki",
      verifyCertificateSpki,
      /^[A-Za-z0-9+/]{43}=$/,
      "must be a SHA-256 in base64, 44 characters",
    ),
  ];
}

function validateCertificateSources(tls: ServerTlsSettings, path: string): readonly Issue[] {
  // What the CRD counts is whether a field is there, what the webhook counts is whether it says something.
  const given: string[] = SOURCES.slice(3).filter((field) => tls[field] !== undefined);
  if (isGiven(tls.serverCertificate) && isGiven(tls.privateKey)) given.push("serverCertificate");
  if (given.length < 2) return [];
  const message = `may have its certificates from one source: got ${given.join(" and ")}`;
  return [{ path, message }];
}

function isGiven(value: string | readonly unknown[] | undefined): boolean {
  return value !== undefined && value.length > 0;
}

function validateMode(tls: ServerTlsSettings, path: string): readonly Issue[] {
  const { mode = "PASSTHROUGH" } = tls;
  switch (mode) {
    case "ISTIO_MUTUAL":
      return SOURCES.filter((field) => isGiven(tls[field])).map((field) => ({
        path: `${path}.${field}`,
        message: "may not be set with ISTIO_MUTUAL: the mesh's own certificates are used",
      }));
    case "PASSTHROUGH":
    case "AUTO_PASSTHROUGH":
      return [
        ...[...SOURCES, "caCrl" as const]
          .filter((field) => isGiven(tls[field]))
          .map((field) => ({
            path: `${path}.${field}`,
            message: `has no effect with ${mode}: TLS is not opened here`,
            severity: "warning" as const,
          })),
        ...(isGiven(tls.caCrl) && isGiven(tls.credentialName) ? [crlBesideName(path)] : []),
      ];
    case "SIMPLE":
    case "MUTUAL":
    case "OPTIONAL_MUTUAL":
      return validateOpened(tls, mode, path);
  }
}

function crlBesideName(path: string): Issue {
  const message = "may not be set beside credentialName: it has its place in the Secret";
  return { path: `${path}.caCrl`, message };
}

function validateOpened(tls: ServerTlsSettings, mode: string, path: string): readonly Issue[] {
  const { credentialName, credentialNames, tlsCertificates = [] } = tls;
  // What a Secret holds is seen when it is there.
  if (isGiven(credentialName) || isGiven(credentialNames)) return [];
  const issues: Issue[] = [];
  const require = (value: string | undefined, field: string, where: string): void => {
    if (isGiven(value)) return;
    const message = `is required with ${mode}, or a credentialName`;
    issues.push({ path: `${where}.${field}`, message });
  };
  if (tlsCertificates.length === 0) {
    require(tls.serverCertificate, "serverCertificate", path);
    require(tls.privateKey, "privateKey", path);
  }
  for (const [at, one] of tlsCertificates.entries()) {
    require(one.serverCertificate, "serverCertificate", `${path}.tlsCertificates[${at}]`);
    require(one.privateKey, "privateKey", `${path}.tlsCertificates[${at}]`);
  }
  if (mode === "SIMPLE") {
    if (isGiven(tls.caCrl)) {
      const message = "may not be set with SIMPLE: clients show no certificate";
      issues.push({ path: `${path}.caCrl`, message });
    }
  } else if (tls.insecureSkipVerify !== true) {
    require(tls.caCertificates, "caCertificates", path);
  }
  return issues;
}

/** Names that a proxy does not know are left out of what it gets, with a warning, as in Istio. */
function validateNames(
  names: readonly string[] = [],
  path: string,
  what: string,
  isKnown: (name: string) => boolean,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [at, name] of names.entries()) {
    if (!isKnown(name)) {
      const message = `is left out: "${name}" is not ${what} that proxies know`;
      issues.push({ path: `${path}[${at}]`, message, severity: "warning" });
    } else if (names.indexOf(name) < at) {
      issues.push({
        path: `${path}[${at}]`,
        message: `duplicate of "${name}"`,
        severity: "warning",
      });
    }
  }
  return issues;
}

const VERSION_ORDER = ["TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];

/** Envoy refuses a listener whose newest version is older than its oldest. */
function validateVersions(
  {
    minProtocolVersion = "TLS_AUTO",
    maxProtocolVersion = "TLS_AUTO",
    cipherSuites,
  }: ServerTlsSettings,
  path: string,
): readonly Issue[] {
  const isOld = minProtocolVersion === "TLSV1_0" || minProtocolVersion === "TLSV1_1";
  if (isOld && !isGiven(cipherSuites)) {
    const message = "needs cipherSuites: those that are on by themselves are for TLS 1.2 and newer";
    return [{ path: `${path}.minProtocolVersion`, message, severity: "warning" }];
  }
  const min = VERSION_ORDER.indexOf(minProtocolVersion);
  const max = VERSION_ORDER.indexOf(maxProtocolVersion);
  if (max === -1 || min <= max) return [];
  const message = `must not be older than minProtocolVersion ${minProtocolVersion}: got ${maxProtocolVersion}`;
  return [{ path: `${path}.maxProtocolVersion`, message }];
}
