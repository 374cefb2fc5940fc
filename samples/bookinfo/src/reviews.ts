import { type App, type AppRequest, json, parseId } from "./app-server.ts";
import { forwardHeaders } from "./forward-headers.ts";
import type { ServiceClient } from "./service-client.ts";

/** The three versions differ in the stars that they show. */
export const STARS_BY_VERSION: Readonly<Record<string, "black" | "red" | undefined>> = {
  v1: undefined,
  v2: "black",
  v3: "red",
};

/** What makes one reviews process differ from another. */
export interface ReviewsOptions {
  /** No colour: reviews without ratings, and the ratings service is not called. */
  readonly starColor: "black" | "red" | undefined;
  /** `http://ratings:9080` */
  readonly ratingsUrl: string;
  readonly client: ServiceClient;
  /** Named in the answer, so that a reader sees who answered. */
  readonly podName: string | null;
  readonly clusterName: string | null;
}

type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

const REVIEWS = [
  {
    reviewer: "Reviewer1",
    text: "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
  },
  {
    reviewer: "Reviewer2",
    text: "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.",
  },
] as const;

const NO_RATING: Rating = { error: "Ratings service is currently unavailable" };

// Different on purpose, as in the sample: tasks about injected delays show what comes of it.
const RATINGS_TIMEOUT_MS = { black: 10_000, red: 2_500 } as const;

/** `GET /reviews/{id}` */
export function createReviews(options: ReviewsOptions): App {
  return async (request) => {
    const { method, path } = request;
    if (path === "/health") return json(200, { status: "Reviews is healthy" });
    const id = parseId(/^\/reviews\/(.*)$/.exec(path)?.[1] ?? "");
    if (id === undefined) return json(404, { error: `no such page: ${path}` });
    if (method !== "GET") return json(405, { error: `${method} is not allowed here` });
    const rate = await readRatings(options, id, request);
    return json(200, {
      id: String(id),
      podname: options.podName,
      clustername: options.clusterName,
      reviews: REVIEWS.map((review) => {
        const rating = rate(review.reviewer);
        return rating === undefined ? review : { ...review, rating };
      }),
    });
  };
}

/** The rating of each reviewer, where this version shows any. */
async function readRatings(
  { starColor, ratingsUrl, client }: ReviewsOptions,
  id: number,
  request: AppRequest,
): Promise<(reviewer: string) => Rating | undefined> {
  if (starColor === undefined) return () => undefined;
  let ratings: Readonly<Record<string, unknown>> = {};
  try {
    const { status, body } = await client.get(`${ratingsUrl}/ratings/${id}`, {
      headers: forwardHeaders(request.headers),
      timeoutMs: RATINGS_TIMEOUT_MS[starColor],
    });
    const answer = status === 200 ? (JSON.parse(body) as { ratings?: typeof ratings }) : {};
    ratings = answer.ratings ?? {};
  } catch {
    // The reader is told in place of the stars; a book page without them is better than none.
  }
  return (reviewer) => {
    const stars = ratings[reviewer];
    return typeof stars === "number" ? { stars, color: starColor } : NO_RATING;
  };
}
