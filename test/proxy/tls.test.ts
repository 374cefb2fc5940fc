import { createPrivateKey } from "node:crypto";
import { connect } from "node:net";
import "reflect-metadata";
import type { ConnectionOptions } from "node:tls";
import { KeyUsageFlags } from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { askTls, type TlsAnswer } from "./tls-client.ts";
import { downstreamTls, inline, overTls, tlsCertificate } from "./tls-json.ts";

const names = [
  "plain",
  "required",
  "optional",
  "spiffe",
  "typed",
  "unasked",
  "lasting",
  "shallow",
  "domains",
  "pinnedUntrusted",
  "revoked",
  "pinned",
  "untrusted",
  "old",
  "new",
  "several",
  "scanning",
  "oldKeys",
  "newKeys",
  "otherKeys",
  "locked",
] as const;
type Name = (typeof names)[number];

const SPIFFE = "spiffe://cluster.local/ns/a/sa/client";

const both = new BothPlanes<Name>();
let ca: TestAuthority;
const TLS_TYPES = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

type ClientName =
  | "good"
  | "other"
  | "expired"
  | "revoked"
  | "stranger"
  | "deep"
  | "foreign"
  | "imposter";
let clients: Record<ClientName, TestCertificate>;

async function createListeners(): Promise<Record<Name, object>> {
  ca = await TestAuthority.create();
  const foreign = await TestAuthority.create("CN=foreign");
  const sans = [{ type: "url" as const, value: SPIFFE }];
  const middle = await TestAuthority.create("CN=middle", ca);
  // SPIFFE asks that a certificate says what its key is for.
  const keyUsage = KeyUsageFlags.digitalSignature;
  const deep = await middle.issue({ sans, keyUsage });
  const foreignId = "spiffe://foreign.example/ns/a/sa/b";
  clients = {
    deep: { ...deep, cert: deep.cert + middle.cert },
    foreign: await foreign.issue({ keyUsage, sans: [{ type: "url", value: foreignId }] }),
    imposter: await ca.issue({ keyUsage, sans: [{ type: "url", value: foreignId }] }),
    good: await ca.issue({ subject: "CN=good,O=weft", sans, keyUsage }),
    other: await ca.issue({ sans: [{ type: "dns", value: "*.wild.example" }] }),
    expired: await ca.issue({ sans, keyUsage, validDays: [-3, -1] }),
    revoked: await ca.issue({ sans }),
    stranger: await foreign.issue({ sans, keyUsage }),
  };
  const server = tlsCertificate(await ca.issue({ subject: "CN=server" }));
  const one = { tls_certificates: [server] };
  const trusted = { trusted_ca: inline(ca.cert) };
  const validating = (validation: object, options: object = {}): object =>
    downstreamTls({ ...one, validation_context: validation }, options);
  const required = { require_client_certificate: true };
  const named = async (name: string, isRsa = false): Promise<object> =>
    tlsCertificate(
      await ca.issue({ subject: `CN=${name}`, sans: [{ type: "dns", value: name }], isRsa }),
    );
  const several = {
    tls_certificates: [
      await named("first.example", true),
      await named("second.example"),
      await named("*.third.example"),
    ],
  };
  const san = (type: string, matcher: object): object => ({ san_type: type, matcher });
  return {
    plain: downstreamTls({ ...one, alpn_protocols: ["spdy", "http/1.1"] }),
    required: validating(trusted, required),
    optional: validating(trusted),
    spiffe: validating(
      { ...trusted, match_typed_subject_alt_names: [san("URI", { exact: SPIFFE })] },
      required,
    ),
    typed: validating(
      { ...trusted, match_typed_subject_alt_names: [san("DNS", { exact: "any.wild.example" })] },
      required,
    ),
    lasting: validating({ ...trusted, allow_expired_certificate: true }, required),
    shallow: validating({ ...trusted, max_verify_depth: 0 }, required),
    domains: validating({
      custom_validator_config: {
        name: "envoy.tls.cert_validator.spiffe",
        typed_config: {
          "@type": `${TLS_TYPES}.SPIFFECertValidatorConfig`,
          trust_domains: [
            { name: "cluster.local", trust_bundle: inline(ca.cert) },
            { name: "foreign.example", trust_bundle: inline(foreign.cert) },
          ],
        },
      },
    }),
    unasked: validating({
      ...trusted,
      match_typed_subject_alt_names: [san("URI", { exact: SPIFFE })],
    }),
    pinnedUntrusted: validating({
      verify_certificate_hash: ["0".repeat(64)],
      trust_chain_verification: "ACCEPT_UNTRUSTED",
    }),
    revoked: validating(
      { ...trusted, crl: inline(await ca.revoke([clients.revoked.serial])) },
      required,
    ),
    pinned: validating({ verify_certificate_hash: ["0".repeat(64)] }),
    untrusted: validating({ ...trusted, trust_chain_verification: "ACCEPT_UNTRUSTED" }, required),
    old: downstreamTls({
      ...one,
      tls_params: {
        tls_maximum_protocol_version: "TLSv1_2",
        cipher_suites: ["[ECDHE-ECDSA-AES256-GCM-SHA384|ECDHE-RSA-AES256-GCM-SHA384]"],
      },
    }),
    new: downstreamTls({ ...one, tls_params: { tls_minimum_protocol_version: "TLSv1_3" } }),
    several: downstreamTls(several),
    ...ticketListeners(server),
    locked: downstreamTls({ tls_certificates: [await lockedCertificate()] }),
    scanning: downstreamTls(several, { full_scan_certs_on_sni_mismatch: true }),
  };
}

/** Three sets of ticket keys: the second begins with another and still knows the first's. */
function ticketListeners(server: object): Record<"oldKeys" | "newKeys" | "otherKeys", object> {
  const key = (byte: number): object => ({
    inline_bytes: Buffer.alloc(80, byte).toString("base64"),
  });
  const withKeys = (...keys: object[]): object =>
    downstreamTls({ tls_certificates: [server] }, { session_ticket_keys: { keys } });
  return {
    oldKeys: withKeys(key(1)),
    newKeys: withKeys(key(2), key(1)),
    otherKeys: withKeys(key(3)),
  };
}

/** Its key is encrypted with a password. */
async function lockedCertificate(): Promise<object> {
  const { cert, key } = await ca.issue({ subject: "CN=locked" });
  const locked = createPrivateKey(key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-128-cbc",
    passphrase: "open sesame",
  });
  return {
    certificate_chain: inline(cert),
    private_key: inline(String(locked)),
    password: inline("open sesame"),
  };
}

beforeAll(async () => {
  const sockets = await createListeners();
  await both.start(names, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: names.map((name) =>
        overTls(
          httpListener(name, ports[name], {
            route_config: routeTable([
              { match: { prefix: "/" }, direct_response: { status: 200 } },
            ]),
          }),
          sockets[name],
        ),
      ),
    },
  }));
});

afterAll(() => both.stop());

function ask(name: Name, options: ConnectionOptions = {}): Promise<Outcome> {
  return both.each(({ ports }) => askTls(ports[name], options));
}
type Outcome = { weft: TlsAnswer; envoy: TlsAnswer };

function withCert({ cert, key }: TestCertificate): ConnectionOptions {
  return { cert, key };
}

const ECDSA_ONLY = "ecdsa_secp256r1_sha256";
const RSA_ONLY = "rsa_pss_rsae_sha256:rsa_pkcs1_sha256";

describe("handshakes agree on what Envoy agrees on", () => {
  const cases: readonly [what: string, name: Name, options: ConnectionOptions][] = [
    ["the newest version", "plain", {}],
    ["TLS 1.2", "plain", { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }],
    ["a protocol that both have", "plain", { ALPNProtocols: ["x", "http/1.1"] }],
    ["the server's favourite protocol", "plain", { ALPNProtocols: ["http/1.1", "spdy"] }],
    ["no protocol when none is common", "plain", { ALPNProtocols: ["x"] }],
    ["ChaCha20 for who wants it", "plain", { ciphers: "TLS_CHACHA20_POLY1305_SHA256" }],
    ["a list of ciphers and a highest version", "old", {}],
    ["a lowest version", "new", {}],
    ["a key behind a password", "locked", {}],
    ["a name's certificate", "several", { servername: "second.example" }],
    ["a wildcard's certificate", "several", { servername: "a.third.example" }],
    ["no wildcard over two labels", "several", { servername: "a.b.third.example" }],
    ["the first certificate without a name", "several", { sigalgs: RSA_ONLY }],
    ["the ECDSA one without a name", "several", {}],
    ["the first one for a name of nobody", "several", { servername: "nobody.example" }],
    ["any that fits for a name of nobody", "scanning", { servername: "nobody.example" }],
    ["RSA for who takes nothing else", "scanning", { servername: "x.example", sigalgs: RSA_ONLY }],
  ];
  test.each(cases)("%s", async (_what, name, options) => {
    const { weft, envoy } = await ask(name, options);
    const agreed = ({ status, protocol, cipher, alpn, server }: TlsAnswer): object => ({
      status,
      protocol,
      cipher,
      alpn,
      server,
    });
    expect(weft.status).toBe("200");
    expect(agreed(weft)).toEqual(agreed(envoy));
  });

  const refused: readonly [what: string, name: Name, options: ConnectionOptions][] = [
    ["TLS 1.1", "plain", { maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "ALL@SECLEVEL=0" }],
    ["TLS 1.2 where 1.3 is asked", "new", { maxVersion: "TLSv1.2" }],
    ["no common cipher", "old", { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }],
    ["a client that cannot use the key", "plain", { sigalgs: RSA_ONLY, maxVersion: "TLSv1.2" }],
  ];
  test.each(refused)("not %s", async (_what, name, options) => {
    const { weft, envoy } = await ask(name, options);
    expect(weft).toMatchObject({ isConnected: false, status: "" });
    expect(weft.error).toBe(envoy.error);
  });

  test.each([ECDSA_ONLY])("signatures of %s", async (sigalgs) => {
    const { weft } = await ask("plain", { sigalgs });
    expect(weft.status).toBe("200");
  });
});

describe("client certificates", () => {
  const accepted: readonly [name: Name, client: keyof typeof clients | "none"][] = [
    ["required", "good"],
    ["optional", "none"],
    ["optional", "good"],
    ["required", "deep"],
    ["lasting", "expired"],
    ["lasting", "good"],
    ["lasting", "deep"],
    ["shallow", "good"],
    ["domains", "good"],
    ["domains", "deep"],
    ["domains", "foreign"],
    ["pinnedUntrusted", "none"],
    ["pinnedUntrusted", "stranger"],
    ["spiffe", "good"],
    ["typed", "other"],
    ["revoked", "good"],
    ["untrusted", "stranger"],
    ["untrusted", "expired"],
  ];
  test.each(accepted)("%s takes %s", async (name, client) => {
    const options = client === "none" ? {} : withCert(clients[client]);
    const { weft, envoy } = await ask(name, options);
    expect(weft.status).toBe("200");
    expect(envoy.status).toBe("200");
  });

  const refused: readonly [name: Name, client: keyof typeof clients | "none", stat: string][] = [
    ["required", "none", "fail_verify_no_cert"],
    ["required", "stranger", "fail_verify_error"],
    ["required", "expired", "fail_verify_error"],
    ["optional", "stranger", "fail_verify_error"],
    ["spiffe", "other", "fail_verify_san"],
    ["typed", "good", "fail_verify_san"],
    ["revoked", "revoked", "fail_verify_error"],
    ["pinned", "good", "fail_verify_cert_hash"],
    ["pinned", "none", "fail_verify_no_cert"],
    ["lasting", "stranger", "fail_verify_error"],
    ["shallow", "deep", "fail_verify_error"],
    ["domains", "imposter", "fail_verify_error"],
    ["domains", "stranger", "fail_verify_error"],
    ["domains", "other", "fail_verify_error"],
    ["domains", "expired", "fail_verify_error"],
    ["domains", "revoked", "fail_verify_error"],
    ["domains", "none", "fail_verify_no_cert"],
    ["unasked", "none", "fail_verify_no_cert"],
    ["untrusted", "none", "fail_verify_no_cert"],
  ];
  // Envoy sends an alert. Node's OpenSSL tells of the certificate only after the handshake is
  // over, when there is no alert to send: the client sees the connection close instead.
  test.each(refused)("%s refuses %s: %s", async (name, client, stat) => {
    const options = client === "none" ? {} : withCert(clients[client]);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const count = async (): Promise<{ weft: number; envoy: number }> =>
        both.each(async ({ ports, stats }) => {
          const all = await stats(`127.0.0.1_${ports[name]}.ssl.${stat}`);
          return Object.values(all)[0] ?? -1;
        });
      const before = await count();
      const { weft, envoy } = await ask(name, { ...options, maxVersion });
      expect([weft.status, envoy.status]).toEqual(["", ""]);
      expect(client === "none" ? weft.error : envoy.error).toBe(envoy.error);
      const after = await count();
      expect([after.weft - before.weft, after.envoy - before.envoy]).toEqual([1, 1]);
    }
  });
});

describe("sessions", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)("of %s are resumed", async (maxVersion) => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const options = { ...withCert(clients.good), maxVersion };
      const first = await askTls(ports.required, options);
      const { session } = first;
      if (session === undefined) throw new Error("there was no session");
      const again = await askTls(ports.required, { ...options, session });
      return { status: again.status, isReused: again.isReused };
    });
    expect(weft).toEqual({ status: "200", isReused: true });
    expect(weft).toEqual(envoy);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)("of %s outlive a change of keys", async (version) => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const { session } = await askTls(ports.oldKeys, { maxVersion: version });
      if (session === undefined) throw new Error("there was no session");
      const options = { maxVersion: version, session };
      return {
        isKnown: (await askTls(ports.newKeys, options)).isReused,
        isForeign: (await askTls(ports.otherKeys, options)).isReused,
      };
    });
    expect(weft).toEqual({ isKnown: true, isForeign: false });
    expect(weft).toEqual(envoy);
  });

  test("of a client without a certificate open no other door", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const { session } = await askTls(ports.optional, { maxVersion: "TLSv1.2" });
      if (session === undefined) throw new Error("there was no session");
      const other = await askTls(ports.required, { maxVersion: "TLSv1.2", session });
      return { status: other.status, isReused: other.isReused };
    });
    expect(weft).toEqual({ status: "", isReused: false });
    expect(weft).toEqual(envoy);
  });
});

describe("handshakes that come to nothing", () => {
  const active = async (): Promise<{ weft: number; envoy: number }> =>
    both.each(async ({ stats }) => {
      const all = await stats("downstream_cx_active");
      return Object.entries(all).reduce(
        (sum, [name, value]) => sum + (name.startsWith("listener.ADDRESS") ? value : 0),
        0,
      );
    });
  const garbage: readonly [what: string, bytes: Buffer][] = [
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from([22])],
    ["a head of a record", Buffer.from([22, 3, 1, 2, 0])],
    ["half a hello", Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])],
    ["plain HTTP", Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n")],
    ["noise", Buffer.from("\u0000\u0001\u0002\u0003noise".repeat(100))],
    ["an alert", Buffer.from([21, 3, 1, 0, 2, 2, 40])],
    ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
  ];
  test.each(garbage)("leave nothing behind: %s", async (_what, bytes) => {
    await both.each(async ({ ports }) => {
      for (const name of ["plain", "required"] as const) {
        for (const ending of ["end", "destroy"] as const) {
          await new Promise<void>((resolve) => {
            const socket = connect(ports[name], "127.0.0.1", () => {
              socket.write(bytes, () => {
                if (ending === "end") socket.end();
                else socket.destroy();
              });
            });
            socket.on("error", () => undefined);
            socket.on("close", () => resolve());
            socket.resume();
          });
        }
      }
    });
    expect(await until(async () => (await active()).weft === 0, "no connections")).toBe(true);
  });
});

test("/certs tells of the certificates in use", async () => {
  const { weft, envoy } = await both.each(async ({ ports }) => {
    const answer = await fetch(`http://127.0.0.1:${ports.admin}/certs`);
    const { certificates } = (await answer.json()) as { certificates: object[] };
    // Envoy names every trust bundle after the last one.
    const texts = certificates.map((one) => JSON.stringify(one));
    return texts.filter((text) => !text.includes("foreign.example")).sort();
  });
  expect(weft.length).toBeGreaterThan(0);
  expect(weft).toEqual(envoy);
});
