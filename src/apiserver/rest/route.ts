import type { RestContext, RestRequest } from "./context.ts";
import { getObject } from "./context.ts";
import { serveDiscovery } from "./discovery.ts";
import type { Exchange } from "./exchange.ts";
import { serveLogs } from "./logs.ts";
import { serveOpenApi } from "./openapi.ts";
import { parseResourcePath } from "./path.ts";
import { includeObjectOf, negotiate, serveGet, serveList } from "./read.ts";
import { serveScale } from "./scale.ts";
import { ApiError } from "./status.ts";
import { serveWatch } from "./watch.ts";
import {
  serveCreate,
  serveDelete,
  serveDeleteCollection,
  servePatch,
  serveUpdate,
} from "./write.ts";

/** Answers one request of a client that has shown who it is. */
export async function route(context: RestContext, exchange: Exchange): Promise<void> {
  const { segments, method } = exchange;
  const isRead = method === "GET" || method === "HEAD";
  if (segments[0] === "openapi" && isRead) return serveOpenApi(exchange, context.kinds);
  if (isRead && serveDiscovery(exchange, context.kinds)) return;
  const path = parseResourcePath(segments, context.kinds);
  if (path === undefined) {
    if (segments.length === 0 && isRead) {
      const paths = ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"];
      return exchange.sendJson(200, { paths });
    }
    throw new ApiError("NotFound", `there is nothing at "/${segments.join("/")}"`);
  }
  const request: RestRequest = { context, exchange, path };
  if (path.subresource === undefined || path.subresource === "status") checkForm(exchange);
  if (path.subresource !== undefined) return routeSubresource(request, path.subresource);
  return path.name === undefined ? routeCollection(request) : routeObject(request);
}

/** A form that there is none of is refused before anything is done. */
function checkForm(exchange: Exchange): void {
  negotiate(exchange);
  includeObjectOf(exchange);
}

/** The head alone of a watch would never end. */
function isWatch(exchange: Exchange): boolean {
  return exchange.method === "GET" && exchange.flag("watch");
}

async function routeCollection(request: RestRequest): Promise<void> {
  const { exchange, path } = request;
  switch (exchange.method) {
    case "GET":
    case "HEAD":
      return isWatch(exchange) ? serveWatch(request) : serveList(request);
    case "POST":
      if (path.kind.isNamespaced && path.namespace === undefined) {
        throw new ApiError("MethodNotAllowed", "name a namespace to create this kind in");
      }
      return serveCreate(request);
    case "DELETE":
      return serveDeleteCollection(request);
    default:
      throw notAllowed(request);
  }
}

async function routeObject(request: RestRequest): Promise<void> {
  const { exchange } = request;
  switch (exchange.method) {
    case "GET":
    case "HEAD":
      return isWatch(exchange) ? serveWatch(request) : serveGet(request);
    case "PUT":
      return serveUpdate(request);
    case "PATCH":
      return servePatch(request);
    case "DELETE":
      return serveDelete(request);
    default:
      throw notAllowed(request);
  }
}

/** What Kubernetes has below a pod, and this version has not. */
const POD_NOT_BUILT = ["exec", "attach", "portforward", "proxy", "eviction", "ephemeralcontainers"];

async function routeSubresource(request: RestRequest, subresource: string): Promise<void> {
  const { exchange, path } = request;
  const { kind } = path;
  if (subresource === "status" && kind.hasStatus) {
    if (exchange.method === "GET") return serveGet(request);
    if (exchange.method === "PUT") return serveUpdate(request);
    if (exchange.method === "PATCH") return servePatch(request);
    throw notAllowed(request);
  }
  if (subresource === "scale" && kind.scale !== undefined) {
    if (["GET", "PUT", "PATCH"].includes(exchange.method)) return serveScale(request);
    throw notAllowed(request);
  }
  if (subresource === "log" && kind.kind === "Pod") {
    if (exchange.method === "GET") return serveLogs(request);
    throw notAllowed(request);
  }
  if (kind.kind === "Pod" && POD_NOT_BUILT.includes(subresource)) {
    getObject(request);
    const message = `"${subresource}" of pods is not supported yet by this version of weft`;
    throw new ApiError("NotImplemented", message);
  }
  throw new ApiError("NotFound", `the server has no "${subresource}" of ${kind.plural}`);
}

function notAllowed({ exchange, path }: RestRequest): ApiError {
  const message = `${exchange.method} is not allowed on ${path.kind.plural}`;
  return new ApiError("MethodNotAllowed", message);
}
