import type { KubeObject } from "../../config/object.ts";
import type { StorageEvent } from "../../storage/storage.ts";
import { StorageError } from "../../storage/storage.ts";
import type { RestRequest } from "./context.ts";
import { inVersion } from "./context.ts";
import type { Form } from "./read.ts";
import { includeObjectOf, negotiate, selectorOf, storageSelector } from "./read.ts";
import { ApiError } from "./status.ts";
import { toPartial, toTable } from "./table.ts";

/** A watch ends after this, unless it says when; its client starts another one. */
const TIMEOUT_SECONDS = 1800;
const BOOKMARK_INTERVAL_MS = 60_000;
/** A client that reads slower than events come is cut off here; it comes back and lists. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;

type WatchType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";

/** `GET ?watch=true`: one JSON object a line for every change, until one side ends it. */
export async function serveWatch(request: RestRequest): Promise<void> {
  const { context, exchange } = request;
  checkWatchOptions(request);
  const seconds = exchange.count("timeoutSeconds") ?? TIMEOUT_SECONDS;
  const selects = selectorOf(request);
  const selector = storageSelector(request);
  const wanted = exchange.query.get("resourceVersion") ?? "";
  const stream = new WatchStream(request, negotiate(exchange));
  const onEvent = (event: StorageEvent): void => {
    const type = visibleType(event, selects);
    if (type === undefined) stream.note(event.revision);
    else stream.send(type, event.object, event.revision);
  };
  let stop: () => void;
  if (wanted === "" || wanted === "0") {
    // First what there is, then what changes; nothing comes in between.
    const { items, revision } = context.storage.list(selector);
    stop = context.storage.watch(selector, onEvent, revision);
    stream.start();
    for (const object of items.filter(selects)) stream.send("ADDED", object, revision);
  } else {
    stop = watchFrom(request, wanted, onEvent);
    stream.start();
  }
  try {
    await stream.ended(seconds);
  } finally {
    stop();
  }
}

function watchFrom(
  request: RestRequest,
  wanted: string,
  onEvent: (event: StorageEvent) => void,
): () => void {
  if (!/^\d{1,15}$/.test(wanted)) {
    throw new ApiError("BadRequest", `resourceVersion must be a number: got "${wanted}"`);
  }
  try {
    return request.context.storage.watch(storageSelector(request), onEvent, Number(wanted));
  } catch (error) {
    if (error instanceof StorageError) throw new ApiError("Expired", error.message);
    throw error;
  }
}

function checkWatchOptions({ exchange }: RestRequest): void {
  if (!exchange.flag("sendInitialEvents")) return;
  // Clients list instead when they are told so.
  const message =
    "sendInitialEvents is forbidden for watch: this server has no streaming lists, list first";
  throw new ApiError("Invalid", message, {
    causes: [{ reason: "FieldValueForbidden", message, field: "sendInitialEvents" }],
  });
}

/** What a change is to those who see only some objects; `undefined`: nothing. */
function visibleType(
  { type, object, old }: StorageEvent,
  selects: (object: KubeObject) => boolean,
): WatchType | undefined {
  const isVisible = selects(object);
  if (type !== "MODIFIED" || old === undefined) return isVisible ? type : undefined;
  const wasVisible = selects(old);
  if (isVisible) return wasVisible ? "MODIFIED" : "ADDED";
  return wasVisible ? "DELETED" : undefined;
}

/** Writes events to one client and ends with it. */
class WatchStream {
  readonly #request: RestRequest;
  readonly #form: Form;
  readonly #aborter = new AbortController();
  #hasColumns = true;
  #revision = 0;

  constructor(request: RestRequest, form: Form) {
    this.#request = request;
    this.#form = form;
  }

  start(): void {
    const { exchange } = this.#request;
    exchange.start(200, "application/json;stream=watch");
    exchange.response.flushHeaders();
  }

  /** A change that the client does not see; bookmarks tell it how far it is anyway. */
  note(revision: number): void {
    this.#revision = revision;
  }

  /** Never throws: its caller has the other watchers to tell too. */
  send(type: WatchType, object: KubeObject, revision: number): void {
    this.#revision = revision;
    try {
      this.#write({ type, object: this.#shape(object) });
    } catch (error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#request.context.log.error("watch failed, cut off", { stack });
      this.#cutOff();
    }
  }

  /** Resolves when the client has gone, the server stops or the time is over. */
  async ended(timeoutSeconds: number): Promise<void> {
    const { exchange, context } = this.#request;
    const { response } = exchange;
    const { signal } = this.#aborter;
    const end = (): void => this.#aborter.abort();
    response.once("close", end);
    context.signal.addEventListener("abort", end, { once: true });
    const timer = context.clock.setTimer(timeoutSeconds * 1000, end);
    const hasBookmarks = exchange.flag("allowWatchBookmarks");
    try {
      while (!signal.aborted) {
        await context.clock.sleep(BOOKMARK_INTERVAL_MS, signal);
        if (hasBookmarks) this.#bookmark();
      }
    } finally {
      timer.cancel();
      response.off("close", end);
      context.signal.removeEventListener("abort", end);
      if (!response.destroyed) response.end();
    }
  }

  #bookmark(): void {
    if (this.#revision === 0) return;
    const { path } = this.#request;
    const metadata = { resourceVersion: String(this.#revision) };
    const { kind } = path;
    const { apiVersion } = inVersion(
      { apiVersion: "", kind: kind.kind, metadata: { name: "" } },
      path,
    );
    this.#write({ type: "BOOKMARK", object: { kind: kind.kind, apiVersion, metadata } });
  }

  #shape(stored: KubeObject): object {
    const { context, exchange, path } = this.#request;
    const object = inVersion(stored, path);
    if (this.#form === "object") return object;
    if (this.#form === "partial") return toPartial(object);
    const table = toTable([object], {
      kind: path.kind,
      nowMs: context.clock.nowMs(),
      includeObject: includeObjectOf(exchange),
      resourceVersion: object.metadata.resourceVersion ?? "",
      hasColumns: this.#hasColumns,
    });
    this.#hasColumns = false;
    return table;
  }

  #write(event: object): void {
    const { response } = this.#request.exchange;
    if (response.destroyed || response.writableEnded) return;
    response.write(`${JSON.stringify(event)}\n`);
    if (response.writableLength > BUFFER_BYTES_MAX) {
      this.#request.context.log.warn("watch client too slow, cut off");
      this.#cutOff();
    }
  }

  #cutOff(): void {
    this.#request.exchange.response.destroy();
    this.#aborter.abort();
  }
}
