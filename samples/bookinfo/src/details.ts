import { type App, json, parseId } from "./app-server.ts";

/** What the details service says about a book; every id is the same book. */
const BOOK = {
  author: "William Shakespeare",
  year: 1595,
  type: "paperback",
  pages: 200,
  publisher: "PublisherA",
  language: "English",
  "ISBN-10": "1234567890",
  "ISBN-13": "123-1234567890",
} as const;

/** `GET /details/{id}` */
export function createDetails(): App {
  return ({ method, path }) => {
    if (path === "/health") return json(200, { status: "Details is healthy" });
    const match = /^\/details(?:\/(.*))?$/.exec(path);
    if (match === null) return json(404, { error: `no such page: ${path}` });
    if (method !== "GET") return json(405, { error: `${method} is not allowed here` });
    const id = parseId(match[1] ?? "");
    if (id === undefined) return json(400, { error: "please provide numeric product id" });
    return json(200, { id, ...BOOK });
  };
}
