import { brotliCompressSync, gzipSync } from "node:zlib";
import { get, post } from "../cases/request-text.ts";
import type { OptionCase } from "../side-by-side.ts";
import { casesOf, filters, own, route, toOwn } from "./filter-case.ts";
import { zstdCompressSync } from "./zstd.ts";

const COMPRESSOR = "compressor.v3.Compressor";
const DECOMPRESSOR = "decompressor.v3.Decompressor";
const OF_ROUTE = "compressor.v3.CompressorPerRoute";
const OK = [200];
const GZIP = "Accept-Encoding: gzip\r\n";
const BODY = "a body that is long enough to be compressed, ".repeat(20);

function library(kind: string, direction: string, options: object = {}): object {
  const message = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  const type = `envoy.extensions.compression.${kind}.${direction}.v3.${message}`;
  return { name: "lib", typed_config: { "@type": `type.googleapis.com/${type}`, ...options } };
}

function compressor(kind: string, options: object = {}, name = "own"): object {
  const filter = own(COMPRESSOR, { compressor_library: library(kind, "compressor"), ...options });
  return { ...filter, name };
}

function decompressor(kind: string, options: object = {}): object {
  return own(DECOMPRESSOR, { decompressor_library: library(kind, "decompressor"), ...options });
}

function answer(lines: string, body = BODY): { readonly send: string } {
  const length = `Content-Length: ${body.length}\r\n`;
  return { send: `HTTP/1.1 200 OK\r\n${length}Content-Type: text/plain\r\n${lines}\r\n${body}` };
}

const CHUNKS = `${BODY.length.toString(16)}\r\n${BODY}\r\n2\r\nhi\r\n0\r\n\r\n`;

/** What the upstream answers, by path; those of other cases have other paths. */
const SCRIPTS = {
  "/long": answer(""),
  "/etag": answer('ETag: "strong"\r\n'),
  "/weak": answer('ETag: W/"weak"\r\n'),
  "/vary": answer("Vary: Origin\r\n"),
  "/varied": answer("Vary: origin, accept-encoding\r\n"),
  "/kept": answer("Cache-Control: public, No-Transform\r\n"),
  "/encoded": answer("Content-Encoding: identity\r\n"),
  "/limit": answer("", "x".repeat(30)),
  "/below": answer("", "x".repeat(29)),
  "/huge": answer("", "0123456789abcdef".repeat(20_000)),
  "/chunked": {
    send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
  },
  "/closed": { send: `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n${BODY}`, end: "fin" },
  "/html": {
    send: `HTTP/1.1 200 OK\r\nContent-Type: Text/HTML ; charset=x\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  },
  "/image": {
    send: `HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  },
  "/untyped": { send: `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}` },
  "/part": {
    send: `HTTP/1.1 206 Part\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  },
  "/empty": { send: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n" },
  "/none": { send: "HTTP/1.1 204 None\r\nContent-Type: text/plain\r\n\r\n" },
  "/gzipped": compressed("gzip", gzipSync(BODY)),
  "/brotli": compressed("br", brotliCompressSync(BODY)),
  "/both": compressed("gzip, br", gzipSync(brotliCompressSync(BODY))),
  "/broken": compressed("gzip", Buffer.from("this is nothing that was compressed")),
  "/bomb": compressed("gzip", gzipSync(Buffer.alloc(2_000_000))),
  "/cut-gzip": compressed("gzip", gzipSync(BODY).subarray(0, -5)),
  "/cut-brotli": compressed("br", brotliCompressSync(BODY).subarray(0, -5)),
  "/kept-gzipped": compressed("gzip", gzipSync(BODY), "Cache-Control: no-transform\r\n"),
} as const;

function compressed(encoding: string, bytes: Buffer, lines = ""): { readonly send: string } {
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bytes.length}\r\n`;
  return { send: `${head}${lines}\r\n${bytes.toString("latin1")}` };
}

const COMMON = {
  scripts: SCRIPTS,
  decodes: true,
  stats: "ompressor",
  ignoredStats: /total_compressed/,
} as const;

function gets(paths: readonly string[], lines: string, prefix: string) {
  return paths.map((path) => ({
    name: `${prefix}: ${path}`,
    send: get(path, lines),
    status: [path === "/part" ? 206 : path === "/none" ? 204 : 200],
  }));
}

const ALL = [
  "/long",
  "/etag",
  "/weak",
  "/vary",
  "/varied",
  "/kept",
  "/encoded",
  "/limit",
  "/below",
  "/chunked",
  "/closed",
  "/html",
  "/image",
  "/untyped",
  "/part",
  "/empty",
  "/none",
  "/huge",
];

const ACCEPTED = [
  "",
  "Accept-Encoding: br\r\n",
  "Accept-Encoding: gzip;q=0\r\n",
  "Accept-Encoding: gzip;q=0, *\r\n",
  "Accept-Encoding: *\r\n",
  "Accept-Encoding: identity, gzip;q=0.5\r\n",
  "Accept-Encoding: identity;q=0.5, gzip\r\n",
  "Accept-Encoding: GZIP\r\n",
  "Accept-Encoding: gzip;q=x\r\n",
  "Accept-Encoding: deflate, gzip;q=1.0, *;q=0.5\r\n",
  "Accept-Encoding:\r\n",
];

const BOTH = {
  ...COMMON,
  options: filters(compressor("gzip", {}, "one"), compressor("brotli", {}, "two")),
};
const FIRST = {
  ...COMMON,
  options: filters(
    compressor("gzip", {}, "one"),
    compressor("brotli", { choose_first: true }, "two"),
  ),
};

const COMPRESSED: readonly OptionCase[] = [
  ...casesOf({ ...COMMON, options: filters(compressor("gzip")) }, [
    ...gets(ALL, GZIP, "gzip"),
    ...ACCEPTED.map((lines) => ({
      name: `gzip: ${lines.trim().replaceAll("\r\n", ", ") || "nothing accepted"}`,
      send: get("/long", lines),
      status: OK,
    })),
    {
      name: "gzip: HEAD",
      send: `HEAD /long HTTP/1.1\r\nHost: a.test\r\n${GZIP}\r\n`,
      methods: ["HEAD"],
      status: OK,
    },
  ]),
  ...casesOf(
    { ...COMMON, options: filters(compressor("brotli")) },
    gets(["/long", "/chunked", "/huge"], "Accept-Encoding: br\r\n", "brotli"),
  ),
  ...casesOf(
    {
      ...COMMON,
      options: filters(
        compressor("gzip", {
          response_direction_config: {
            common_config: { min_content_length: 0 },
            disable_on_etag_header: true,
            remove_accept_encoding_header: true,
            uncompressible_response_codes: [206],
            status_header_enabled: true,
          },
        }),
      ),
    },
    [
      ...gets(
        ["/long", "/etag", "/part", "/image", "/kept", "/chunked", "/empty", "/encoded"],
        GZIP,
        "gzip with a status",
      ),
      ...gets(["/long"], "", "gzip with a status, nothing accepted"),
    ],
  ),
  ...casesOf(
    {
      ...COMMON,
      options: filters(
        compressor("gzip", {
          response_direction_config: {
            common_config: {
              min_content_length: 1000,
              content_type: ["image/png"],
              content_type_matcher: [{ prefix: "Text/" }],
            },
            disable_on_etag_header: true,
            weaken_etag_on_compress: true,
            status_header_enabled: true,
          },
        }),
      ),
    },
    gets(["/long", "/image", "/html", "/huge", "/chunked"], GZIP, "gzip of other types"),
  ),
  ...casesOf(
    {
      ...COMMON,
      options: filters(
        compressor("gzip", {
          response_direction_config: {
            disable_on_etag_header: true,
            weaken_etag_on_compress: true,
          },
        }),
      ),
    },
    gets(["/etag", "/weak"], GZIP, "gzip with weaker tags"),
  ),
  ...casesOf(
    {
      ...COMMON,
      options: filters(
        compressor("gzip", {
          response_direction_config: { common_config: { enabled: { default_value: false } } },
        }),
      ),
    },
    gets(["/long"], GZIP, "gzip switched off"),
  ),
  ...casesOf(BOTH, [
    {
      name: "two compressors: the second alone",
      send: get("/long", "Accept-Encoding: br\r\n"),
      status: OK,
    },
    {
      name: "two compressors: alike",
      send: get("/long", "Accept-Encoding: br, gzip\r\n"),
      status: OK,
    },
    {
      name: "two compressors: by weight",
      send: get("/long", "Accept-Encoding: br;q=0.4, gzip;q=0.5\r\n"),
      status: OK,
    },
    { name: "two compressors: whatever", send: get("/long", "Accept-Encoding: *\r\n"), status: OK },
  ]),
  ...casesOf(FIRST, [
    {
      name: "a first compressor: alike",
      send: get("/long", "Accept-Encoding: gzip, br\r\n"),
      status: OK,
    },
    {
      name: "a first compressor: by weight",
      send: get("/long", "Accept-Encoding: br;q=0.4, gzip;q=0.5\r\n"),
      status: OK,
    },
    {
      name: "a first compressor: whatever",
      send: get("/long", "Accept-Encoding: *\r\n"),
      status: OK,
    },
  ]),
  {
    name: "a route that is not compressed",
    ...COMMON,
    options: filters(compressor("gzip", { request_direction_config: {} })),
    routes: [route(toOwn(OF_ROUTE, { disabled: true }))],
    send: post(
      "/long",
      `${GZIP}Content-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n`,
      BODY,
    ),
    status: OK,
  },
  {
    name: "a route with a library of its own",
    ...COMMON,
    options: filters(compressor("gzip")),
    routes: [
      route(
        toOwn(OF_ROUTE, { overrides: { compressor_library: library("brotli", "compressor") } }),
      ),
    ],
    send: get("/long", "Accept-Encoding: br\r\n"),
    status: OK,
  },
  {
    name: "a route that is compressed",
    ...COMMON,
    options: filters(
      compressor("gzip", {
        response_direction_config: { common_config: { enabled: { default_value: false } } },
      }),
    ),
    routes: [
      route(
        toOwn(OF_ROUTE, {
          overrides: { response_direction_config: { remove_accept_encoding_header: true } },
        }),
      ),
    ],
    send: get("/long", GZIP),
    status: OK,
  },
  ...casesOf(
    { ...COMMON, options: filters(compressor("gzip", { request_direction_config: {} })) },
    [
      {
        name: "a request that is compressed",
        send: post("/x", `Content-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n`, BODY),
        status: OK,
      },
      {
        name: "a request in chunks that is compressed",
        send: post("/x", "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
        status: OK,
      },
      {
        name: "a request that is too short",
        send: post("/x", "Content-Type: text/plain\r\nContent-Length: 2\r\n", "ab"),
        status: OK,
      },
      {
        name: "a request that is compressed already",
        send: post("/x", `Content-Encoding: x\r\nContent-Length: ${BODY.length}\r\n`, BODY),
        status: OK,
      },
    ],
  ),
];

const DECOMPRESSED: readonly OptionCase[] = [
  ...casesOf(
    {
      ...COMMON,
      ignoredStats: /^$/,
      options: {
        ...filters(decompressor("gzip")),
        http_protocol_options: { enable_trailers: true },
      },
    },
    [
      ...gets(["/gzipped", "/both", "/kept-gzipped", "/long", "/broken"], "", "gunzip"),
      ...gets(["/cut-gzip"], "", "gunzip"),
      {
        name: "gunzip: accepted already",
        send: get("/gzipped", "Accept-Encoding: br, gzip;q=0.5\r\n"),
        status: OK,
      },
      {
        name: "gunzip: a request",
        send: post(
          "/x",
          `Content-Encoding: gzip\r\nContent-Length: ${gzipSync(BODY).length}\r\n`,
          gzipSync(BODY).toString("latin1"),
        ),
        status: OK,
      },
    ],
  ),
  ...casesOf(
    {
      ...COMMON,
      options: filters(
        decompressor("brotli", {
          request_direction_config: {
            advertise_accept_encoding: false,
            common_config: { enabled: { default_value: false } },
          },
          response_direction_config: { common_config: { ignore_no_transform_header: true } },
        }),
      ),
    },
    [
      ...gets(["/brotli", "/gzipped", "/kept-gzipped"], "", "brotli undone"),
      ...gets(["/cut-brotli"], "", "brotli undone"),
      {
        name: "brotli undone: not of requests",
        send: post("/x", `Content-Encoding: br\r\nContent-Length: 3\r\n`, "abc"),
        status: OK,
      },
    ],
  ),
];

/** There are some where Node has zstd. */
const ZSTD: readonly OptionCase[] =
  zstdCompressSync === undefined ? [] : zstdCases(zstdCompressSync);

function zstdCases(compress: (text: string) => Buffer): readonly OptionCase[] {
  const accepted = "Accept-Encoding: zstd\r\n";
  const bytes = compress(BODY);
  const scripts = {
    ...SCRIPTS,
    "/zstd": compressed("zstd", bytes),
    "/broken-zstd": compressed("zstd", Buffer.from("this is nothing that was compressed")),
    "/cut-zstd": compressed("zstd", bytes.subarray(0, -5)),
  };
  const common = { ...COMMON, scripts };
  const body = bytes.toString("latin1");
  return [
    ...casesOf({ ...common, options: filters(compressor("zstd")) }, [
      ...gets(["/long", "/chunked", "/huge", "/weak", "/limit"], accepted, "zstd"),
      { name: "zstd: not accepted", send: get("/long", GZIP), status: OK },
    ]),
    ...casesOf(
      {
        ...common,
        options: filters({
          ...own(COMPRESSOR, {
            compressor_library: library("zstd", "compressor", {
              compression_level: 7,
              enable_checksum: true,
              strategy: "BTOPT",
              chunk_size: 4096,
            }),
          }),
          name: "own",
        }),
      },
      gets(["/long", "/huge"], accepted, "zstd with options"),
    ),
    ...casesOf({ ...common, options: filters(decompressor("zstd")) }, [
      ...gets(["/zstd", "/broken-zstd", "/cut-zstd", "/gzipped", "/long"], "", "zstd undone"),
      {
        name: "zstd undone: a request",
        send: post("/x", `Content-Encoding: zstd\r\nContent-Length: ${body.length}\r\n`, body),
        status: OK,
      },
    ]),
  ];
}

export const COMPRESSION_CASES: readonly OptionCase[] = [...COMPRESSED, ...DECOMPRESSED, ...ZSTD];
