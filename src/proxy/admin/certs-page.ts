import { Certificate } from "../tls/certificate.ts";
import type { Pem } from "../tls/tls-config.ts";
import type { TlsMaterial } from "../tls/tls-material.ts";

const DAY_MS = 86_400_000;

/** The certificates in use, in the shape of Envoy's `/certs`: the first of each file, as there. */
export function certsPage(materials: Iterable<TlsMaterial>, nowMs: number): object {
  const certificates = [...materials].flatMap(({ current }) => {
    if (current === undefined) return [];
    const { trustedCa, trustDomains = [] } = current.validation ?? {};
    const authorities = trustDomains.map(({ name, bundle: { text, from } }) => ({
      text,
      from: `${name}: ${from}`,
    }));
    if (trustedCa !== undefined) authorities.push(trustedCa);
    return {
      ca_cert: authorities.flatMap((one) => describe(one, nowMs)),
      cert_chain: current.certificates.flatMap(({ chain }) => describe(chain, nowMs)),
    };
  });
  return { certificates };
}

function describe({ text, from }: Pem, nowMs: number): object[] {
  const [certificate] = Certificate.readAll(text);
  if (certificate === undefined) return [];
  const { validFromMs, validToMs, serial, dnsSans, uriSans, ipSans } = certificate;
  const leftDays = Math.max(0, Math.floor((validToMs - nowMs) / DAY_MS));
  return [
    {
      path: from,
      serial_number: serial,
      subject_alt_names: [
        ...dnsSans.map((dns) => ({ dns })),
        ...uriSans.map((uri) => ({ uri })),
        ...ipSans.map((ip) => ({ ip_address: ip })),
      ],
      days_until_expiration: String(leftDays),
      valid_from: formatTime(validFromMs),
      expiration_time: formatTime(validToMs),
    },
  ];
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
