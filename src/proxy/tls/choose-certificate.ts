import type { Certificate } from "./certificate.ts";
import type { Offer } from "./offer.ts";

/** A certificate among those that a client may be shown. */
export interface Choice<T> {
  readonly value: T;
  readonly isEcdsa: boolean;
  /** DNS names, or the common name where there are none; in lower case. */
  readonly names: readonly string[];
}

/** Describes a certificate for `chooseCertificate`. */
export function choiceOf<T>(value: T, certificate: Certificate): Choice<T> {
  const { dns } = certificate.names;
  return {
    value,
    isEcdsa: certificate.x509.publicKey.asymmetricKeyType === "ec",
    names: (dns.length > 0 ? dns : [certificate.commonName]).map((name) => name.toLowerCase()),
  };
}

/**
 * The certificate for a client, as Envoy chooses it ("Certificate selection"): by the name it asks
 * for, then by a wildcard for that name, then the first; among them one whose key it can use best.
 * `scansAll` looks at all of them when the name is of none.
 */
export function chooseCertificate<T>(
  choices: readonly [Choice<T>, ...Choice<T>[]],
  { serverName, takesEcdsa }: Offer,
  scansAll: boolean,
): T {
  const byKey = (candidates: readonly Choice<T>[]): Choice<T> | undefined =>
    candidates.find(({ isEcdsa }) => isEcdsa === takesEcdsa) ??
    // A client that takes ECDSA takes RSA as well.
    (takesEcdsa ? candidates[0] : undefined);
  const [first] = choices;
  if (serverName !== "") {
    const exact = byKey(choices.filter(({ names }) => names.includes(serverName)));
    if (exact !== undefined) return exact.value;
    const dot = serverName.indexOf(".", 1);
    const wildcard = dot === -1 ? "" : `*${serverName.slice(dot)}`;
    const wild = byKey(choices.filter(({ names }) => names.includes(wildcard)));
    if (wild !== undefined) return wild.value;
    if (!scansAll) return first.value;
  }
  return (byKey(choices) ?? first).value;
}
