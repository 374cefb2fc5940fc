import { get } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { filters, own, route, toOwn, typed } from "./filter-case.ts";

const TYPE = "set_filter_state.v3.Config";

function value(key: string, format: string, more: object = {}): object {
  return {
    object_key: key,
    factory_key: "envoy.string",
    format_string: { text_format_source: { inline_string: format }, ...more },
  };
}

function say(...formats: readonly string[]): object {
  return {
    name: "say",
    typed_config: typed("header_mutation.v3.HeaderMutation", {
      mutations: {
        request_mutations: formats.map((format, at) => ({
          append: { header: { key: `x-said-${at}`, value: format } },
        })),
      },
    }),
  };
}

function said(name: string, values: readonly object[], formats: readonly string[]): OptionCase {
  return {
    name: `filter state: ${name}`,
    options: filters(own(TYPE, { on_request_headers: values }), say(...formats)),
    send: get("/x", "X-One: 1\r\n"),
    status: [200],
  };
}

const HASHED = {
  lb_policy: "RING_HASH",
  load_assignment: {
    cluster_name: "up",
    endpoints: [
      {
        lb_endpoints: [1, 2, 3, 4, 5].map((port) => ({
          endpoint: { address: { socket_address: { address: "127.0.0.77", port_value: port } } },
        })),
      },
    ],
  },
};

function hashed(factory: string, text: string): OptionCase {
  return {
    name: `filter state: ${factory} ${text} hashed`,
    options: filters(
      own(TYPE, { on_request_headers: [{ ...value("k", text), factory_key: factory }] }),
      {
        name: "sessions",
        typed_config: typed("stateful_session.v3.StatefulSession", {
          session_state: {
            name: "envoy.http.stateful_session.header",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
              name: "x-host",
            },
          },
        }),
      },
    ),
    cluster: HASHED,
    routes: [
      {
        match: { prefix: "/" },
        route: { cluster: "up", hash_policy: [{ filter_state: { key: "k" } }] },
      },
    ],
    // Without a hash the choice is random.
    ...(factory === "envoy.string" && { ignoredHeaders: ["x-host"] }),
    send: get("/x"),
    status: [503],
  };
}

export const FILTER_STATE_CASES: readonly OptionCase[] = [
  said(
    "its forms",
    [value("k", "v%REQ(x-one)% %REQ(x-none)%")],
    [
      "%FILTER_STATE(k)%",
      "%FILTER_STATE(k:PLAIN)%",
      "%FILTER_STATE(k:TYPED)%",
      "%FILTER_STATE(k:PLAIN):2%",
      "%FILTER_STATE(k:TYPED):2%",
      "%FILTER_STATE(k:FIELD:x)%",
      "%FILTER_STATE(none:PLAIN)%",
    ],
  ),
  said(
    "what is empty",
    [
      value("a", "%REQ(x-none)%"),
      value("b", "%REQ(x-none)%", { omit_empty_values: true }),
      value("c", "before"),
      {
        ...value("c", "", {}),
        skip_if_empty: true,
        format_string: {
          omit_empty_values: true,
          text_format_source: { inline_string: "%REQ(x-none)%" },
        },
      },
    ],
    ["a%FILTER_STATE(a:PLAIN)%", "b%FILTER_STATE(b:PLAIN)%", "c%FILTER_STATE(c:PLAIN)%"],
  ),
  said("the last one counts", [value("k", "one"), value("k", "two")], ["%FILTER_STATE(k:PLAIN)%"]),
  said(
    "one from another",
    [value("a", "1"), value("b", "%FILTER_STATE(a:PLAIN)%2")],
    ["%FILTER_STATE(b:PLAIN)%"],
  ),
  {
    ...said(
      "a JSON format, which ends in a line end",
      [
        {
          object_key: "k",
          factory_key: "envoy.string",
          format_string: { json_format: { b: "%REQ(x-one)%", a: [1, "%REQ(x-none)%"] } },
        },
      ],
      ["%FILTER_STATE(k:PLAIN)%"],
    ),
    status: [503],
  },
  said(
    "a key that is its factory",
    [{ object_key: "envoy.string", format_string: { text_format: "v" } }],
    ["%FILTER_STATE(envoy.string:PLAIN)%"],
  ),
  said(
    "one that can be hashed",
    [{ ...value("k", "v"), factory_key: "envoy.hashable_string" }],
    ["%FILTER_STATE(k:PLAIN)%", "%FILTER_STATE(k)%"],
  ),
  hashed("envoy.hashable_string", "one"),
  hashed("envoy.hashable_string", "two"),
  hashed("envoy.string", "one"),
  {
    name: "filter state: all levels",
    options: {
      ...filters(
        own(TYPE, { on_request_headers: [value("own", "own"), value("k", "own")] }),
        say("%FILTER_STATE(own:PLAIN)%", "%FILTER_STATE(host:PLAIN)%", "%FILTER_STATE(k:PLAIN)%"),
      ),
      route_config: {
        name: "local",
        validate_clusters: false,
        ...toOwn(TYPE, { on_request_headers: [value("k", "table")] }),
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            ...toOwn(TYPE, { on_request_headers: [value("host", "host"), value("k", "host")] }),
            routes: [
              { match: { path: "/mark" }, direct_response: { status: 200 } },
              {
                ...route(
                  toOwn(TYPE, {
                    on_request_headers: [value("k", "%FILTER_STATE(k:PLAIN)%, route")],
                  }),
                ),
              },
            ],
          },
        ],
      },
    },
    send: get("/x"),
    status: [200],
  },
  {
    name: "filter state: a policy that looks at it",
    options: filters(own(TYPE, { on_request_headers: [value("who", "%REQ(x-who)%")] }), {
      name: "rbac",
      typed_config: typed("rbac.v3.RBAC", {
        rules: {
          policies: {
            one: {
              permissions: [{ any: true }],
              principals: [{ filter_state: { key: "who", string_match: { exact: "me" } } }],
            },
          },
        },
      }),
    }),
    send: get("/x", "X-Who: me\r\n") + get("/x", "X-Who: you\r\n"),
    status: [200, 403],
  },
  {
    name: "filter state: a route found anew",
    options: filters(
      {
        name: "mutate",
        typed_config: typed("header_mutation.v3.HeaderMutation", {
          mutations: { request_mutations: [{ append: { header: { key: "x-now", value: "1" } } }] },
        }),
      },
      own(TYPE, { on_request_headers: [value("k", "v")], clear_route_cache: true }),
    ),
    routes: [
      {
        match: { prefix: "/", headers: [{ name: "x-now", present_match: true }] },
        direct_response: { status: 418, body: { inline_string: "now" } },
      },
    ],
    send: get("/x"),
    status: [418],
  },
];
