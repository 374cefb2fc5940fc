import { type App, type AppResponse, json, parseId } from "./app-server.ts";

type Ratings = Readonly<Record<string, number>>;

const DEFAULT_RATINGS: Ratings = { Reviewer1: 5, Reviewer2: 4 };

/** How many books may have ratings of their own; the oldest are forgotten first. */
const RATED_BOOKS_MAX = 1000;

/** `GET` and `POST /ratings/{id}`; what is posted is kept in memory. */
export function createRatings(): App {
  const rated = new Map<number, Ratings>();
  return ({ method, path, body }) => {
    if (path === "/health") return json(200, { status: "Ratings is healthy" });
    const match = /^\/ratings(?:\/(.*))?$/.exec(path);
    if (match === null) return json(404, { error: `no such page: ${path}` });
    const id = parseId(match[1] ?? "");
    if (id === undefined) return json(400, { error: "please provide numeric product ID" });
    if (method === "POST") return post(rated, id, body);
    if (method !== "GET") return json(405, { error: `${method} is not allowed here` });
    return json(200, { id, ratings: rated.get(id) ?? DEFAULT_RATINGS });
  };
}

function post(rated: Map<number, Ratings>, id: number, body: string): AppResponse {
  const ratings = parseRatings(body);
  if (ratings === undefined) return json(400, { error: "please provide valid ratings JSON" });
  rated.delete(id);
  rated.set(id, ratings);
  const oldest = rated.size > RATED_BOOKS_MAX ? rated.keys().next() : undefined;
  if (oldest?.done === false) rated.delete(oldest.value);
  return json(200, { id, ratings });
}

function parseRatings(body: string): Ratings | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const stars = Object.values(value);
  return stars.every((entry) => typeof entry === "number") ? (value as Ratings) : undefined;
}
