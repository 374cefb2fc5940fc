import { jsonChunks } from "./json-chunks.ts";

/** One answer of a page. */
export interface Page {
  /** 200 when absent. */
  readonly status?: number;
  readonly contentType: string;
  /** In pieces where the whole may be large: they are made while the page is written. */
  readonly body: string | Iterable<string>;
}

/** One path of the monitoring port. */
export interface PageEntry {
  /** For the index; absent for pages that are not listed there. */
  readonly help?: string;
  /** Answers GET and HEAD. */
  readonly get: (query: URLSearchParams) => Page;
  /** Answers POST, for what changes something. */
  readonly post?: (query: URLSearchParams) => Page;
  /** Whether only those on this machine may see it, as istiod has it for pages of `/debug`. */
  readonly isLocal?: boolean;
}

/** Pages by path. */
export type Pages = Readonly<Record<string, PageEntry>>;

/** A page of JSON, in one line unless the query says `pretty`, as with istiod. */
export function jsonPage(value: unknown, query: URLSearchParams, status = 200): Page {
  return { status, contentType: "application/json", body: lines(value, query.has("pretty")) };
}

function* lines(value: unknown, isPretty: boolean): Generator<string> {
  yield* jsonChunks(value, isPretty ? 2 : 0);
  yield "\n";
}

/** A page of plain text. */
export function textPage(body: string, status = 200): Page {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** A page that cannot be made is that page's trouble alone. */
export function failedPage(error: unknown): Page {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return textPage(`this page could not be made: ${text}\n`, 500);
}
