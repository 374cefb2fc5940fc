import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own, route, toOwn } from "./filter-case.ts";

const TYPE = "header_mutation.v3.HeaderMutation";
const OF_ROUTE = "header_mutation.v3.HeaderMutationPerRoute";
const OK = [200];

function append(key: string, value: string, action?: string, more: object = {}): object {
  return {
    append: { header: { key, value }, ...(action && { append_action: action }), ...more },
  };
}

function query(key: string, value: string, action?: string): object {
  return { append: { record: { key, value }, ...(action && { action }) } };
}

const SET = "OVERWRITE_IF_EXISTS_OR_ADD";
const REPLACE = "OVERWRITE_IF_EXISTS";
const ABSENT = "ADD_IF_ABSENT";
const FORMATTER = {
  name: "envoy.formatter.req_without_query",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery",
  },
};

const HEADERS = filters(
  own(TYPE, {
    mutations: {
      formatters: [FORMATTER],
      request_mutations: [
        append("x-add", "more"),
        append("x-set", "new", SET),
        append("x-replace", "new", REPLACE),
        append("x-absent", "new", ABSENT),
        append("x-second", "%REQ(x-add)%"),
        append("x-twice", "%REQ(x-two)%"),
        append("x-none", "%REQ(x-nothing)%"),
        append("x-kept", "%REQ(x-nothing)%", SET, { keep_empty_value: true }),
        append("x-path", "%REQ_WITHOUT_QUERY(:path)%"),
        { remove: "X-Gone" },
        { remove_on_match: { key_matcher: { prefix: "x-many-" } } },
        append("x-many-left", "yes"),
      ],
      response_mutations: [
        append("x-code", "%RESPONSE_CODE%"),
        append("x-up", "more"),
        append("x-from", "%RESP(x-up)%"),
        append("x-req", "%REQ(x-set)%"),
        append("server", "nobody", SET),
        { remove: "x-envoy-upstream-service-time" },
        { remove_on_match: { key_matcher: { suffix: "-type", ignore_case: true } } },
      ],
    },
  }),
);

const PARAMETERS = filters(
  own(TYPE, {
    mutations: {
      query_parameter_mutations: [
        query("add", "%REQ(x-one)%"),
        query("set", "new", SET),
        query("replace", "new", REPLACE),
        query("absent", "a b&c%%!\"#$'()*+,-./:;<=>?@[]^_`{|}~é", ABSENT),
        query("k&y", "1"),
        { remove: "gone" },
        { remove: "sp ace" },
      ],
    },
  }),
);

function level(name: string): object {
  return toOwn(OF_ROUTE, {
    mutations: {
      request_mutations: [append("x-level", name), append("x-last", name, SET)],
      response_mutations: [append("x-level", name), append("x-last", name, SET)],
      query_parameter_mutations: [query("level", name), query("last", name, SET)],
    },
  });
}

function levels(name: string, wins: boolean): OptionCase {
  return {
    name,
    options: {
      ...filters(
        own(TYPE, {
          mutations: { request_mutations: [append("x-level", "own")] },
          most_specific_header_mutations_wins: wins,
        }),
      ),
      route_config: {
        name: "local",
        validate_clusters: false,
        ...level("table"),
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            ...level("host"),
            routes: [
              { match: { path: "/mark" }, direct_response: { status: 200 } },
              {
                match: { prefix: "/" },
                route: {
                  weighted_clusters: {
                    clusters: [{ name: "up", weight: 1, ...level("cluster") }],
                  },
                },
                ...level("route"),
              },
            ],
          },
        ],
      },
    },
    send: get("/x?b=1", "X-Level: client\r\n"),
    status: OK,
  };
}

const TRAILERS: Omit<OptionCase, "name" | "send" | "status"> = {
  options: {
    http_protocol_options: { enable_trailers: true },
    ...filters(
      own(TYPE, {
        mutations: {
          request_trailers_mutations: [append("x-t", "more"), { remove: "x-gone" }],
          response_trailers_mutations: [
            append("x-t", "%RESPONSE_CODE%", SET),
            append("x-second", "%TRAILER(x-t)%"),
            { remove_on_match: { key_matcher: { prefix: "x-gone" } } },
          ],
        },
      }),
    ),
  },
  cluster: {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http_protocol_options: { enable_trailers: true } },
      },
    },
  },
  routes: [
    route({
      ...toOwn(OF_ROUTE, {
        mutations: {
          request_trailers_mutations: [append("x-route", "%REQ(:path)%")],
          response_trailers_mutations: [append("x-route", "yes")],
        },
      }),
    }),
  ],
  scripts: {
    "/trailers": {
      send:
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n" +
        "2\r\nhi\r\n0\r\nX-T: up\r\nX-Gone-A: 1\r\nX-Gone-B: 1\r\n\r\n",
    },
  },
};

export const HEADER_MUTATION_CASES: readonly OptionCase[] = [
  ...casesOf({ options: HEADERS }, [
    { name: "header mutations of a plain request", send: get("/x?a=b"), status: OK },
    {
      name: "header mutations of headers that are there",
      send: get(
        "/x",
        "X-Add: one\r\nX-Set: a\r\nX-Set: b\r\nX-Replace: one\r\nX-Absent: one\r\nX-Gone: 1\r\n" +
          "X-Gone: 2\r\nX-Many-A: 1\r\nX-Many-B: 2\r\nX-Man: 3\r\nX-Two: a\r\nX-Two: b\r\n",
      ),
      status: OK,
    },
    {
      name: "header mutations keep a length",
      send: post("/x", "Content-Length: 2\r\n", "ab"),
      status: OK,
    },
    {
      name: "header mutations of a local reply",
      send: "GET /nothing HTTP/1.1\r\nHost: a.test\r\nX-Set: r\r\n\r\n",
      status: [404],
      routes: [
        {
          match: { path: "/nothing" },
          direct_response: { status: 404, body: { inline_string: "no" } },
        },
      ],
    },
  ]),
  ...casesOf({ options: PARAMETERS }, [
    { name: "query mutations without a query", send: get("/x"), status: OK },
    { name: "query mutations with an empty query", send: get("/x?"), status: OK },
    {
      name: "query mutations of parameters that are there",
      send: get(
        "/x?z=1&add=0&set=1&set=2&replace=1&absent=1&gone=1&sp%20ace=2&k&=v",
        "X-One: 1\r\n",
      ),
      status: OK,
    },
    {
      name: "query mutations of escapes",
      send: get("/x?a=1&b=%zz&%67one=1&c=+1&set=%26"),
      status: OK,
    },
    { name: "query mutations and empty pairs", send: get("/x?a=1&&b=2&=&x==y"), status: OK },
    { name: "query mutations and a fragment in the query", send: get("/x?a=1/b?c=2"), status: OK },
  ]),
  ...casesOf(TRAILERS, [
    {
      name: "trailer mutations of a request",
      send: post(
        "/x",
        "Transfer-Encoding: chunked\r\n",
        "1\r\na\r\n0\r\nX-T: a\r\nX-Gone: b\r\n\r\n",
      ),
      status: OK,
    },
    {
      name: "trailer mutations where none come",
      send: post("/x", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
      status: OK,
    },
    { name: "trailer mutations of a response", send: get("/trailers"), status: OK },
  ]),
  levels("header mutations of all levels", false),
  levels("header mutations of all levels, the most specific last", true),
  {
    name: "header mutations that a route switches off",
    options: HEADERS,
    routes: [
      route({
        typed_per_filter_config: {
          own: {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
            disabled: true,
          },
        },
      }),
    ],
    send: get("/x"),
    status: OK,
  },
];
