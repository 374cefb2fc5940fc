import { readGrpcStatus } from "../grpc-status.ts";
import type { StreamInfo } from "../stream-info.ts";
import { lowerAscii, wireText } from "../wire-text.ts";
import { cut, type Field, FormatProblem, type Operator, type OperatorTable } from "./operator.ts";

type HeaderReader = (info: StreamInfo, name: string) => string | undefined;

const request: HeaderReader = (info, name) => info.requestHeader(name);
const response: HeaderReader = (info, name) => info.responseHeader(name);
const trailer: HeaderReader = (info, name) => info.responseTrailer(name);

const requestWithoutQuery: HeaderReader = (info, name) => {
  const value = info.requestHeader(name);
  const at = value?.indexOf("?") ?? -1;
  return at === -1 ? value : value?.substring(0, at);
};

/** `NAME(main?alternative):length`. */
function header(read: HeaderReader): Operator {
  return {
    argument: "required",
    takesLength: true,
    create(argument, length) {
      const [main = "", other, third] = argument.split("?").map(headerName);
      if (third !== undefined) {
        throw new FormatProblem(`More than 1 alternative header specified in token: ${argument}`);
      }
      const field: Field =
        other === undefined
          ? (info) => read(info, main)
          : (info) => read(info, main) ?? read(info, other);
      return cut(field, length);
    },
  };
}

/** What may stand in a header's name (RFC 9110 5.6.2), and before it the colon of HTTP/2's. */
const HEADER_NAME = /^:?[!#$%&'*+.^_`|~0-9A-Za-z-]*$/;

function headerName(name: string): string {
  if (HEADER_NAME.test(name)) return lowerAscii(name);
  throw new FormatProblem(
    "Invalid header configuration. Format string contains invalid characters.",
  );
}

/** Envoy's names of gRPC's statuses, by their numbers. */
const GRPC_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** The gRPC status of a stream that asks for gRPC; of others there is none. */
function grpcStatus(info: StreamInfo): number | undefined {
  const type = info.requestHeader("content-type");
  if (type === undefined || !/^application\/grpc(?:\+|$)/.test(type)) return undefined;
  return readGrpcStatus(info);
}

function createGrpcStatus(form: string): Field {
  if (form === "NUMBER") return grpcStatus;
  if (form !== "" && form !== "CAMEL_STRING" && form !== "SNAKE_STRING") {
    const what = "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: ";
    throw new FormatProblem(what + form);
  }
  return (info) => {
    const status = grpcStatus(info);
    if (status === undefined) return undefined;
    const name = GRPC_NAMES[status];
    if (name === undefined) return status === -1 ? "InvalidCode" : String(status);
    if (form !== "SNAKE_STRING" || status === 0) return name;
    return name === "Canceled" ? "CANCELLED" : name.replace(/(?!^)[A-Z]/g, "_$&").toUpperCase();
  };
}

/** A value of a path's query; `undefined` without one. */
function queryParam(path: string | undefined, name: string): string | undefined {
  const query = queryOf(path);
  if (query === undefined) return undefined;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const key = equals === -1 ? pair : pair.substring(0, equals);
    if (percentDecode(key) !== name) continue;
    return equals === -1 ? "" : percentDecode(pair.substring(equals + 1));
  }
  return undefined;
}

function queryOf(path: string | undefined): string | undefined {
  const at = path?.indexOf("?") ?? -1;
  return at === -1 ? undefined : path?.substring(at + 1);
}

function percentDecode(value: string): string {
  if (!value.includes("%")) return value;
  return value.replace(/%([0-9a-fA-F]{2})/g, (_whole, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function createPath(argument: string): Field {
  const [query = "", source = ""] = argument.split(":");
  if (!["", "WQ", "NQ"].includes(query)) {
    throw new FormatProblem(`Invalid PATH option: '${query}', only 'WQ'/'NQ' are allowed`);
  }
  const read = choose(source, "PATH", ["x-envoy-original-path", ":path"]);
  if (query !== "NQ") return read;
  return (info) => {
    const path = read(info);
    const at = path?.indexOf("?") ?? -1;
    return at === -1 ? path : path?.substring(0, at);
  };
}

/** A reader of a header, of the one that keeps what it was before, or of whichever is there. */
function choose(
  source: string,
  operator: "PATH" | "REQUESTED_SERVER_NAME",
  [original, now]: readonly [string, string],
): (info: StreamInfo) => string | undefined {
  const name = operator === "PATH" ? "PATH" : "HOST";
  if (source === "ORIG") return (info) => info.requestHeader(original);
  if (source === name) return (info) => info.requestHeader(now);
  if (source === "" || source === `ORIG_OR_${name}`) {
    return (info) => info.requestHeader(original) ?? info.requestHeader(now);
  }
  const known = name === "PATH" ? "'ORIG'/'PATH'/'ORIG_OR_PATH'" : "'ORIG_OR_HOST'/'HOST'/'ORIG'";
  throw new FormatProblem(`Invalid ${operator} option: '${source}', only ${known} are allowed`);
}

function createServerName(argument: string): Field {
  const [which = "", source = ""] = argument.split(":");
  if (!["", "SNI_ONLY", "SNI_FIRST", "HOST_FIRST"].includes(which)) {
    const what = "only 'SNI_ONLY'/'SNI_FIRST'/'HOST_FIRST' are allowed";
    throw new FormatProblem(`Invalid REQUESTED_SERVER_NAME option: '${which}', ${what}`);
  }
  const host = choose(source, "REQUESTED_SERVER_NAME", ["x-envoy-original-host", ":authority"]);
  if (which === "SNI_FIRST") return (info) => info.connection.serverName || host(info);
  if (which === "HOST_FIRST")
    return (info) => host(info) ?? (info.connection.serverName || undefined);
  return (info) => info.connection.serverName || undefined;
}

/** The first value of a key in `x-forwarded-client-cert`, whichever element has it. */
function clientCertValue(header: string | undefined, key: string): string | undefined {
  for (const [, name = "", value = ""] of (header ?? "").matchAll(XFCC_PAIR)) {
    if (lowerAscii(name) !== key) continue;
    return value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, "$1") : value;
  }
  return undefined;
}

const XFCC_KEYS: ReadonlySet<string> = new Set([
  "by",
  "cert",
  "chain",
  "dns",
  "hash",
  "subject",
  "uri",
]);
const XFCC_PAIR = /\s*([^=;,"]+)=("(?:[^"\\]|\\.)*"|[^;,]*)/g;

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

function createQueryParams(form: string): Field {
  if (form === "DECODED") {
    return (info) => {
      const query = queryOf(info.requestHeader(":path"));
      if (query === undefined) return undefined;
      const decoded = percentDecode(query);
      // Like Envoy: nobody's line is to end here.
      return CONTROL.test(decoded) ? query : decoded;
    };
  }
  if (form === "" || form === "ORIG") return (info) => queryOf(info.requestHeader(":path"));
  const what = `Invalid QUERY_PARAMS option: '${form}', only 'ORIG'/'DECODED' are allowed`;
  throw new FormatProblem(what);
}

/** What is read from the headers of request and response. */
export const HEADER_OPERATORS: OperatorTable = {
  REQ: header(request),
  REQUEST_HEADER: header(request),
  REQ_WITHOUT_QUERY: header(requestWithoutQuery),
  RESP: header(response),
  RESPONSE_HEADER: header(response),
  TRAILER: header(trailer),
  RESPONSE_TRAILER: header(trailer),
  GRPC_STATUS: { argument: "optional", takesLength: false, create: createGrpcStatus },
  GRPC_STATUS_NUMBER: { argument: "none", takesLength: false, create: () => grpcStatus },
  PATH: {
    argument: "optional",
    takesLength: true,
    create: (argument, length) => cut(createPath(argument), length),
  },
  QUERY_PARAM: {
    argument: "required",
    takesLength: true,
    create(argument, length) {
      const name = wireText(argument);
      return cut((info) => queryParam(info.requestHeader(":path"), name), length);
    },
  },
  QUERY_PARAMS: {
    argument: "optional",
    takesLength: true,
    create: (argument, length) => cut(createQueryParams(argument), length),
  },
  XFCC_VALUE: {
    argument: "required",
    takesLength: false,
    create(argument) {
      const key = lowerAscii(argument);
      if (!XFCC_KEYS.has(key)) {
        throw new FormatProblem(`XFCC_VALUE command does not support subcommand: ${argument}`);
      }
      return (info) => clientCertValue(info.requestHeader("x-forwarded-client-cert"), key);
    },
  },
  REQUESTED_SERVER_NAME: { argument: "optional", takesLength: false, create: createServerName },
};
