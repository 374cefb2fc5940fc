import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own, route, toOwn } from "./filter-case.ts";

const OK = [200];
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const TEN = { options: filters(own("buffer.v3.Buffer", { max_request_bytes: 10 })) };
const OF_ROUTE = "buffer.v3.BufferPerRoute";

export const BUFFER_CASES: readonly OptionCase[] = [
  ...casesOf(TEN, [
    { name: "buffer: no body", send: get("/x"), status: OK },
    {
      name: "buffer: a body with a length",
      send: post("/x", "Content-Length: 2\r\n", "ab"),
      status: OK,
    },
    {
      name: "buffer: a body in chunks",
      send: post("/x", CHUNKED, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
      status: OK,
    },
    {
      name: "buffer: a body in parts",
      send: [post("/x", CHUNKED, "2\r\nab\r\n"), "1\r\nc\r\n", "0\r\n\r\n"],
      status: OK,
    },
    { name: "buffer: an empty body in chunks", send: post("/x", CHUNKED, "0\r\n\r\n"), status: OK },
    {
      name: "buffer: as much as is allowed",
      send: post("/x", "Content-Length: 10\r\n", "0123456789"),
      status: OK,
    },
    {
      name: "buffer: one byte too much",
      send: post("/x", "Content-Length: 11\r\n", "01234567890"),
      status: [413],
      stats: "downstream_rq_too_large",
    },
    {
      name: "buffer: one byte too much in chunks",
      send: post("/x", CHUNKED, "b\r\n01234567890\r\n0\r\n\r\n"),
      status: [413],
    },
  ]),
  {
    name: "buffer: a route with another bound",
    ...TEN,
    routes: [route(toOwn(OF_ROUTE, { buffer: { max_request_bytes: 3 } }))],
    send: post("/x", "Content-Length: 4\r\n", "abcd"),
    status: [413],
  },
  {
    name: "buffer: a route that does not wait",
    ...TEN,
    routes: [route(toOwn(OF_ROUTE, { disabled: true }))],
    send: post("/x", "Content-Length: 11\r\n", "01234567890"),
    status: OK,
  },
  {
    name: "buffer: a virtual host with another bound",
    options: {
      ...TEN.options,
      route_config: {
        name: "local",
        validate_clusters: false,
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            ...toOwn(OF_ROUTE, { buffer: { max_request_bytes: 3 } }),
            routes: [{ match: { path: "/mark" }, direct_response: { status: 200 } }, route()],
          },
        ],
      },
    },
    send: post("/x", "Content-Length: 4\r\n", "abcd"),
    status: [413],
  },
  {
    name: "buffer: trailers",
    options: { ...TEN.options, http_protocol_options: { enable_trailers: true } },
    send: post("/x", CHUNKED, "2\r\nab\r\n0\r\nX-T: 1\r\n\r\n"),
    status: OK,
  },
];
