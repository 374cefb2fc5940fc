import { describe, expect, test } from "vitest";
import type { ClientTlsSettings } from "../../config/client-tls.ts";
import { DEFAULT_SETTINGS } from "../mesh-settings.ts";
import type { Service } from "../service.ts";
import { DEFAULT_POLICY, type TrafficPolicy } from "../traffic-policy.ts";
import type { ClientFacts } from "./client-facts.ts";
import { clientTransport, type TransportContext } from "./client-tls.ts";

const FACTS: ClientFacts = {
  settings: DEFAULT_SETTINGS,
  isGateway: false,
  isPortable: false,
  isWeft: false,
  hasCertificates: true,
  lookupFamily: "v4",
};

const KEY = { group: "networking.istio.io", kind: "DestinationRule", namespace: "a", name: "b" };

function service(change: Partial<Service> = {}): Service {
  return {
    key: KEY,
    path: "",
    registry: "Kubernetes",
    isExternal: false,
    subjectAltNames: [],
    ...change,
  } as Service;
}

function context(
  change: Partial<TransportContext> = {},
  facts: Partial<ClientFacts> = {},
): TransportContext {
  return {
    facts: { ...FACTS, ...facts },
    service: service(),
    sni: "outbound_.80_._.web",
    isHttp2: false,
    identities: ["spiffe://cluster.local/ns/a/sa/web"],
    takers: "chosen",
    ...change,
  };
}

function ruled(settings: ClientTlsSettings, isForSelected = false): TrafficPolicy {
  const origin = { key: KEY, path: "spec.trafficPolicy.tls" };
  return { ...DEFAULT_POLICY, tls: { settings, origin, isForSelected } };
}

const SYSTEM = { type: "trusted-file", file: "system" };

describe("clientTransport(): where no rule says anything", () => {
  test("TLS goes to the endpoints that take it, with the identities that answer", () => {
    expect(clientTransport(DEFAULT_POLICY, context())).toMatchObject({
      type: "tls",
      transport: {
        isByEndpoint: true,
        tls: {
          sni: "outbound_.80_._.web",
          subjectAltNames: ["spiffe://cluster.local/ns/a/sa/web"],
          alpn: ["istio-peer-exchange", "istio"],
        },
      },
    });
  });

  test.each([
    ["a proxy without certificates", context({}, { hasCertificates: false })],
    ["a service outside of the mesh", context({ service: service({ isExternal: true }) })],
    ["endpoints of which some do not take it and nobody can choose", context({ takers: "none" })],
    ["a mesh without it", context({}, { settings: { ...DEFAULT_SETTINGS, isAutoMtls: false } })],
  ])("%s has plain connections", (_, given) => {
    expect(clientTransport(DEFAULT_POLICY, given)).toEqual({ type: "plain" });
  });

  test("addresses that clients name themselves have it when all take it", () => {
    expect(clientTransport(DEFAULT_POLICY, context({ takers: "all" }))).toMatchObject({
      transport: { isByEndpoint: false },
    });
  });
});

describe("clientTransport(): tls of a rule", () => {
  test("DISABLE is plain, whoever takes mutual TLS", () => {
    expect(clientTransport(ruled({ mode: "DISABLE" }), context())).toEqual({ type: "plain" });
  });

  test("ISTIO_MUTUAL is for all endpoints; its own names come first", () => {
    const settings = { mode: "ISTIO_MUTUAL", sni: "x", subjectAltNames: ["y"] } as const;
    expect(clientTransport(ruled(settings), context({ isHttp2: true }))).toMatchObject({
      transport: {
        isByEndpoint: false,
        tls: { sni: "x", subjectAltNames: ["y"], alpn: ["istio-peer-exchange", "istio", "h2"] },
      },
    });
  });

  test.each<[string, ClientTlsSettings, object]>([
    [
      "SIMPLE asks for the request's host and checks it",
      { mode: "SIMPLE" },
      { trusted: SYSTEM, isSniFromHost: true, isNameFromHost: true, certificate: undefined },
    ],
    [
      "an SNI of its own is asked for, and nothing checked but who signed",
      { mode: "SIMPLE", sni: "x" },
      { sni: "x", isSniFromHost: false, isNameFromHost: false },
    ],
    [
      "names of its own are checked instead of the host",
      { mode: "SIMPLE", subjectAltNames: ["x"] },
      { subjectAltNames: ["x"], isSniFromHost: true, isNameFromHost: false },
    ],
    [
      "insecureSkipVerify checks nothing",
      { mode: "SIMPLE", insecureSkipVerify: true },
      { trusted: undefined, isSniFromHost: true, isNameFromHost: false },
    ],
    [
      "MUTUAL has files",
      { mode: "MUTUAL", clientCertificate: "c", privateKey: "k", caCertificates: "r", caCrl: "l" },
      {
        certificate: { type: "files", certificate: "c", privateKey: "k" },
        trusted: { type: "trusted-file", file: "r" },
        crlFile: "l",
      },
    ],
  ])("%s", (_, settings, tls) => {
    expect(clientTransport(ruled(settings), context())).toMatchObject({ transport: { tls } });
  });

  test("an external service's names stand in for those that a rule does not give", () => {
    const external = service({ registry: "External", isExternal: true, subjectAltNames: ["z"] });
    const given = context({ service: external, identities: [] });
    expect(clientTransport(ruled({ mode: "SIMPLE" }), given)).toMatchObject({
      transport: { tls: { subjectAltNames: ["z"] } },
    });
  });

  const credential = { mode: "MUTUAL", credentialName: "mine" } as const;

  test.each([
    ["a gateway", context({}, { isGateway: true }), false],
    ["a sidecar that the rule selects", context(), true],
  ])("%s takes a credential", (_, given, isForSelected) => {
    expect(clientTransport(ruled(credential, isForSelected), given)).toMatchObject({
      transport: {
        tls: {
          certificate: { type: "sds", name: "kubernetes://mine" },
          trusted: { type: "sds", name: "kubernetes://mine-cacert" },
        },
      },
    });
  });

  test("other sidecars send as without tls, and the rule is told", () => {
    expect(clientTransport(ruled(credential), context())).toMatchObject({
      type: "plain",
      warning: { field: "credentialName" },
    });
  });
});

describe("clientTransport(): without certificates", () => {
  test.each<[ClientTlsSettings, keyof ClientTlsSettings]>([
    [{ mode: "ISTIO_MUTUAL" }, "mode"],
    [{ mode: "SIMPLE" }, "caCertificates"],
    [{ mode: "SIMPLE", credentialName: "x" }, "credentialName"],
  ])("%j is closed, never plain", (settings, field) => {
    const given = context({}, { hasCertificates: false, isGateway: true });
    expect(clientTransport(ruled(settings), given)).toMatchObject({
      type: "closed",
      warning: { field, origin: { path: "spec.trafficPolicy.tls" } },
    });
  });

  test("files are the proxy's own affair", () => {
    const given = context({}, { hasCertificates: false });
    const settings = { mode: "SIMPLE", caCertificates: "/ca.pem" } as const;
    expect(clientTransport(ruled(settings), given)).toMatchObject({
      transport: { tls: { trusted: { type: "trusted-file", file: "/ca.pem" } } },
    });
  });
});
