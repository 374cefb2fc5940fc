import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { RBACSchema } from "../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import { UriTemplateMatchConfigSchema } from "../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import { formatIssue, type Issue } from "../base/issue.ts";
import type { CertificateInfo, TlsInfo } from "./connection-info.ts";
import type { MatchRequest } from "./match-request.ts";
import { plainRequest, type RequestParts } from "./plain-request.ts";
import { compileRbac, type RbacEngine } from "./rbac.ts";

const REGISTRY = createRegistry(UriTemplateMatchConfigSchema);

function compile(json: JsonValue): { engine: RbacEngine; issues: readonly string[] } {
  const issues: Issue[] = [];
  const message = fromJson(RBACSchema, json, { registry: REGISTRY });
  return { engine: compileRbac(message, "rules", issues), issues: issues.map(formatIssue) };
}

const CERTIFICATE: CertificateInfo = {
  subject: "CN=client",
  issuer: "CN=ca",
  serial: "1",
  sha256: "",
  sha1: "",
  uriSans: ["spiffe://a/x", "spiffe://a/y"],
  dnsSans: ["x.test"],
  ipSans: [],
  emailSans: [],
  validFromMs: 0,
  validToMs: 0,
  pem: "",
  chainPem: "",
};

function tls(peer: Partial<CertificateInfo> | undefined): Partial<TlsInfo> {
  return {
    peer: peer && { ...CERTIFICATE, uriSans: [], dnsSans: [], ...peer },
    isPeerValidated: peer !== undefined,
  };
}

function request(parts: RequestParts = {}): MatchRequest {
  return plainRequest({
    method: "GET",
    path: "/api/v1?q#f",
    authority: "a.test",
    scheme: "http",
    remote: { address: "203.0.113.9", port: 1 },
    headers: [["x", "1"]],
    dynamicMetadata: (filter) => (filter === "f" ? { a: { b: ["x", 1] }, n: null } : undefined),
    filterState: (key) => (key === "k" ? { text: "value", typed: undefined } : undefined),
    ...parts,
    connection: {
      remote: { address: "192.0.2.1", port: 4000 },
      directRemote: { address: "198.51.100.7", port: 5000 },
      local: { address: "10.1.2.3", port: 8080 },
      serverName: "a.test",
      ...parts.connection,
    },
  });
}

const any = { any: true };
const cidr = (address_prefix: string, prefix_len: number): JsonValue => ({
  address_prefix,
  prefix_len,
});

function asks(permission: JsonValue, principal: JsonValue, asked: MatchRequest): boolean {
  const policy = { permissions: [permission], principals: [principal] };
  const { engine, issues } = compile({ action: "ALLOW", policies: { p: policy } });
  expect(issues).toEqual([]);
  return engine.decide(asked).isAllowed;
}

describe("compileRbac()", () => {
  const overConnection = plainRequest({});
  const metadata = (path: string[], value: JsonValue, more = {}): JsonValue => ({
    metadata: { filter: "f", path: path.map((key) => ({ key })), value, ...more },
  });
  const permissions: [JsonValue, boolean, MatchRequest?][] = [
    [any, true],
    [{ not_rule: any }, false],
    [{ and_rules: { rules: [any, { destination_port: 8080 }] } }, true],
    [{ and_rules: { rules: [any, { destination_port: 80 }] } }, false],
    [{ or_rules: { rules: [{ destination_port: 80 }, any] } }, true],
    [{ or_rules: { rules: [{ destination_port: 80 }] } }, false],
    [{ header: { name: "x", string_match: { exact: "1" } } }, true],
    [{ header: { name: ":method", string_match: { exact: "GET" } } }, true],
    [{ header: { name: ":method", string_match: { exact: "GET" } } }, false, overConnection],
    [{ header: { name: ":path", present_match: true } }, false, overConnection],
    [{ header: { name: ":authority", invert_match: true } }, true, overConnection],
    [{ url_path: { path: { exact: "/api/v1" } } }, true],
    [{ url_path: { path: { prefix: "" } } }, false, overConnection],
    [{ destination_ip: cidr("10.1.0.0", 16) }, true],
    [{ destination_ip: cidr("10.2.0.0", 16) }, false],
    [{ destination_port_range: { start: 8080, end: 8081 } }, true],
    [{ destination_port_range: { start: 8000, end: 8080 } }, false],
    [{ requested_server_name: { suffix: ".test" } }, true],
    [{ requested_server_name: { exact: "" } }, true, overConnection],
    [metadata(["a", "b"], { list_match: { one_of: { string_match: { exact: "x" } } } }), true],
    [metadata(["a", "b"], { list_match: { one_of: { double_match: { exact: 1 } } } }), true],
    [metadata(["a", "c"], { present_match: true }), false],
    [metadata(["a", "c"], { present_match: true }, { invert: true }), true],
    [metadata(["n"], { null_match: {} }), true],
    [metadata(["a"], { bool_match: true }), false],
    [
      {
        uri_template: {
          name: "t",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            path_template: "/api/*",
          },
        },
      },
      true,
    ],
  ];
  test.each(permissions)("permission %j: %s", (permission, expected, asked = request()) => {
    expect(asks(permission, any, asked)).toBe(expected);
  });

  const named = (name: string): JsonValue => ({
    authenticated: { principal_name: { exact: name } },
  });
  const withTls = (peer: Partial<CertificateInfo> | undefined): MatchRequest =>
    request({ connection: { tls: tls(peer) as TlsInfo } });
  const principals: [JsonValue, boolean, MatchRequest?][] = [
    [any, true],
    [{ not_id: any }, false],
    [{ and_ids: { ids: [any, { not_id: any }] } }, false],
    [{ or_ids: { ids: [{ not_id: any }, any] } }, true],
    [{ source_ip: cidr("192.0.2.0", 24) }, true],
    [{ direct_remote_ip: cidr("198.51.100.0", 24) }, true],
    [{ remote_ip: cidr("203.0.113.0", 24) }, true],
    [{ remote_ip: cidr("192.0.2.0", 24) }, false],
    [{ header: { name: "x", present_match: true } }, true],
    [{ url_path: { path: { prefix: "/api" } } }, true],
    [metadata(["a"], { present_match: true }), true],
    [{ filter_state: { key: "k", string_match: { exact: "value" } } }, true],
    [{ filter_state: { key: "l", string_match: { prefix: "" } } }, false],
    [{ authenticated: {} }, false],
    [{ authenticated: {} }, true, withTls(undefined)],
    [named("spiffe://a/y"), true, withTls({ uriSans: ["spiffe://a/x", "spiffe://a/y"] })],
    [named("x.test"), true, withTls({ uriSans: ["spiffe://a/x"], dnsSans: ["x.test"] })],
    [named("CN=client"), true, withTls({ uriSans: ["spiffe://a/x"] })],
    [named("CN=other"), false, withTls({ uriSans: ["spiffe://a/x"] })],
    [named(""), true, withTls(undefined)],
    [named(""), false],
  ];
  test.each(principals)("principal %j: %s", (principal, expected, asked = request()) => {
    expect(asks(any, principal, asked)).toBe(expected);
  });

  const port = (number: number): JsonValue => ({
    permissions: [{ destination_port: number }],
    principals: [any],
  });

  test("names the first policy that matches, by name", () => {
    const policies = { z: port(8080), b: port(8080), a: port(80) };
    const decide = (action: string) => compile({ action, policies }).engine.decide(request());
    expect(decide("ALLOW")).toEqual({ isAllowed: true, policy: "b" });
    expect(decide("DENY")).toEqual({ isAllowed: false, policy: "b" });
    expect(decide("LOG")).toEqual({ isAllowed: true, policy: "b" });
  });

  test("without a policy that matches denies or allows by its action", () => {
    const decide = (action: string) => compile({ action }).engine.decide(request());
    expect(decide("ALLOW")).toEqual({ isAllowed: false, policy: "" });
    expect(decide("DENY")).toEqual({ isAllowed: true, policy: "" });
    expect(decide("LOG")).toEqual({ isAllowed: true, policy: "" });
  });

  test("says why policies did not match", () => {
    const nobody = { permissions: [any], principals: [{ not_id: any }] };
    const { engine } = compile({ policies: { a: port(80), b: nobody } });
    const lost: string[] = [];
    engine.decide(request(), { lost: (what, why) => lost.push(`${what}: ${why}`) });
    expect(lost).toEqual([
      "policy a: no permission matches",
      "policy b: none of its principals is the client",
    ]);
  });

  const refused: [string, JsonValue, string][] = [
    [
      "a condition",
      { permissions: [any], principals: [any], condition: { const_expr: { bool_value: true } } },
      'rules.policies["p"].condition: is not supported yet',
    ],
    [
      "an extension",
      { permissions: [{ matcher: { name: "m" } }], principals: [any] },
      'rules.policies["p"].permissions[0].matcher: is not supported yet',
    ],
    [
      "ports that are none",
      {
        permissions: [{ destination_port_range: { start: 9, end: 9 } }],
        principals: [any],
      },
      'rules.policies["p"].permissions[0].destination_port_range: range start 9 cannot be greater or equal than range end 9',
    ],
    ["nobody", { permissions: [any] }, 'rules.policies["p"]: has no principals'],
  ];
  test.each(refused)("refuses %s", (_what, policy, issue) => {
    expect(compile({ policies: { p: policy } }).issues).toContain(issue);
  });
});
