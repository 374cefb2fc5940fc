import { afterAll, beforeAll, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { askTls } from "./tls-client.ts";
import { downstreamTls, inline, overTls, tlsCertificate } from "./tls-json.ts";
import { type TwinPlaces, Twins } from "./twins.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.http";
const NAME = "envoy.filters.http.rbac";
const ONE = "spiffe://weft/ns/default/sa/one";
const INSPECTOR = {
  name: "envoy.filters.listener.tls_inspector",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  },
};
const ANY = [{ any: true }];

function named(principal_name: object): object {
  return { permissions: ANY, principals: [{ authenticated: { principal_name } }] };
}

/** Each policy, and which of the clients below it lets pass. */
const POLICIES: Readonly<Record<string, readonly [policy: object, passes: readonly string[]]>> = {
  anybody: [
    { permissions: ANY, principals: [{ authenticated: {} }] },
    ["one", "two", "dns", "subject", "nobody"],
  ],
  exact: [named({ exact: ONE }), ["one"]],
  prefix: [named({ prefix: "spiffe://weft/ns/default/" }), ["one", "two"]],
  suffix: [named({ suffix: "/sa/two" }), ["two"]],
  regex: [named({ safe_regex: { regex: "spiffe://[^/]+/ns/[^/]+/sa/one" } }), ["one"]],
  dns: [named({ exact: "leaf.weft.test" }), ["two", "dns"]],
  // Whatever names a certificate has, its subject is one more.
  subject: [named({ contains: "CN=leaf" }), ["one", "two", "dns", "subject"]],
  empty: [named({ exact: "" }), ["nobody"]],
  somebody: [
    {
      permissions: ANY,
      principals: [{ not_id: { authenticated: { principal_name: { exact: "" } } } }],
    },
    ["one", "two", "dns", "subject"],
  ],
  server: [
    { permissions: [{ requested_server_name: { exact: "a.test" } }], principals: ANY },
    ["one", "two", "dns", "subject", "nobody"],
  ],
  elsewhere: [
    { permissions: [{ requested_server_name: { exact: "b.test" } }], principals: ANY },
    [],
  ],
};

let twins: Twins;
let clients: Readonly<Record<string, TestCertificate | undefined>>;

beforeAll(async () => {
  const authority = await TestAuthority.create();
  const server = await authority.issue({ sans: [{ type: "dns", value: "a.test" }] });
  const two = ONE.replace(/one$/, "two");
  clients = {
    one: await authority.issue({ sans: [{ type: "url", value: ONE }] }),
    two: await authority.issue({
      sans: [
        { type: "url", value: two },
        { type: "dns", value: "leaf.weft.test" },
      ],
    }),
    dns: await authority.issue({ sans: [{ type: "dns", value: "leaf.weft.test" }] }),
    subject: await authority.issue(),
    nobody: undefined,
  };
  const routes = Object.entries(POLICIES).map(([name, [policy]]) => ({
    match: { prefix: "/", headers: [{ name: "x-policy", string_match: { exact: name } }] },
    direct_response: { status: 200 },
    typed_per_filter_config: {
      [NAME]: {
        "@type": `${TYPES}.rbac.v3.RBACPerRoute`,
        rbac: { rules: { policies: { [name]: policy } } },
      },
    },
  }));
  const context = {
    tls_certificates: [tlsCertificate(server)],
    validation_context: { trusted_ca: inline(authority.cert) },
  };
  twins = await Twins.start(["main"], (places: TwinPlaces) => {
    const plain = httpListener("main", places.ports["main"] ?? 0, {
      delayed_close_timeout: "0.01s",
      route_config: routeTable(routes),
      http_filters: [
        { name: NAME, typed_config: { "@type": `${TYPES}.rbac.v3.RBAC`, rules: {} } },
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${TYPES}.router.v3.Router` },
        },
      ],
    });
    return {
      admin: { address: socketAddress(places.adminPort) },
      static_resources: {
        listeners: [{ ...overTls(plain, downstreamTls(context)), listener_filters: [INSPECTOR] }],
      },
    };
  });
});

afterAll(async () => {
  await twins.stop();
});

test.each(Object.entries(POLICIES).map(([name, [, passes]]) => ({ name, passes })))(
  "the policy $name lets pass whom it names by certificate",
  async ({ name, passes }) => {
    for (const { ports } of twins.all) {
      const passed = [];
      for (const [client, certificate] of Object.entries(clients)) {
        const { status } = await askTls(
          ports["main"] ?? 0,
          {
            servername: "a.test",
            ...(certificate && { cert: certificate.cert, key: certificate.key }),
          },
          `x-policy: ${name}\r\n`,
        );
        expect(["200", "403"]).toContain(status);
        if (status === "200") passed.push(client);
      }
      expect(passed).toEqual(passes);
    }
  },
);
