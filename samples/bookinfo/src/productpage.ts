import { type App, type AppRequest, type AppResponse, json, text } from "./app-server.ts";
import { forwardHeaders } from "./forward-headers.ts";
import type { BookDetails, BookReviews, Fetched, Product } from "./product.ts";
import { renderIndex, renderProduct } from "./product-html.ts";
import type { ServiceClient } from "./service-client.ts";
import { Sessions } from "./session.ts";
import { STATIC_FILES } from "./static-files.ts";

/** Base URLs of the services that the page calls, and what else it is given. */
export interface ProductPageOptions {
  readonly detailsUrl: string;
  readonly reviewsUrl: string;
  readonly ratingsUrl: string;
  readonly client: ServiceClient;
  readonly sessionKey: string;
  /** Further requests to reviews with every page, for showing rate limits; 0 is usual. */
  readonly floodFactor: number;
}

const PRODUCTS: readonly Product[] = [
  {
    id: 0,
    title: "The Comedy of Errors",
    descriptionHtml:
      '<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia Summary</a>: one of <b>William Shakespeare\'s</b> early plays, his shortest and among his most farcical. Two pairs of twins who share their names, separated at birth, find themselves in the same town; what follows lives on mistaken identity, puns and slapstick.',
  },
];

const CALL_TIMEOUT_MS = 3_000;

// The sample asks for reviews a second time when the first try failed; tasks about timeouts and
// injected faults count on it.
const REVIEWS_TRIES = 2;

/** The page and the JSON beside it. */
export function createProductPage(options: ProductPageOptions): App {
  const page = new ProductPage(options);
  return (request) => page.answer(request);
}

class ProductPage {
  readonly #options: ProductPageOptions;
  readonly #sessions: Sessions;

  constructor(options: ProductPageOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options.sessionKey);
  }

  async answer(request: AppRequest): Promise<AppResponse> {
    const { method, path } = request;
    if (path === "/login") return method === "POST" ? this.#login(request) : notAllowed(method);
    if (method !== "GET") return notAllowed(method);
    switch (path) {
      case "/":
      case "/index.html":
        return html(renderIndex());
      case "/health":
        return text(200, "Product page is healthy");
      case "/productpage":
        return await this.#front(request);
      case "/logout":
        return redirectBack(request, this.#sessions.cookieFor(undefined));
      case "/api/v1/products":
        return json(200, PRODUCTS);
      default:
        return STATIC_FILES[path] ?? (await this.#api(request));
    }
  }

  #login(request: AppRequest): AppResponse {
    const user = new URLSearchParams(request.body).get("username")?.trim();
    if (user === undefined || user === "") return text(400, "please give a user name");
    return redirectBack(request, this.#sessions.cookieFor(user));
  }

  async #front(request: AppRequest): Promise<AppResponse> {
    const product = PRODUCTS[0];
    if (product === undefined) return text(404, "there is no book");
    const headers = this.#headers(request);
    await this.#flood(product.id, headers);
    const [details, reviews] = await Promise.all([
      this.#details(product.id, headers),
      this.#reviews(product.id, headers),
    ]);
    const user = this.#sessions.userOf(request.headers.cookie);
    return html(renderProduct({ product, details, reviews, user }));
  }

  async #api(request: AppRequest): Promise<AppResponse> {
    const match = /^\/api\/v1\/products\/([^/]+)(?:\/(reviews|ratings))?$/.exec(request.path);
    if (match === null) return text(404, `no such page: ${request.path}`);
    const [, id = "", part] = match;
    // It becomes a part of the path of another request.
    if (!/^\d{1,9}$/.test(id)) return json(400, { error: "please provide numeric product id" });
    const headers = this.#headers(request);
    const fetched =
      part === "reviews"
        ? await this.#reviews(Number(id), headers)
        : part === "ratings"
          ? await this.#fetch(`${this.#options.ratingsUrl}/ratings/${id}`, "ratings", headers)
          : await this.#details(Number(id), headers);
    return json(fetched.status, fetched.ok ? fetched.value : { error: fetched.error });
  }

  /** What goes along to the services below: the user as `end-user`, for routes to match on. */
  #headers(request: AppRequest): Record<string, string> {
    const headers = forwardHeaders(request.headers);
    const user = this.#sessions.userOf(request.headers.cookie);
    if (user !== undefined) headers["end-user"] = user;
    return headers;
  }

  #details(id: number, headers: Record<string, string>): Promise<Fetched<BookDetails>> {
    return this.#fetch(`${this.#options.detailsUrl}/details/${id}`, "details", headers);
  }

  async #reviews(id: number, headers: Record<string, string>): Promise<Fetched<BookReviews>> {
    const url = `${this.#options.reviewsUrl}/reviews/${id}`;
    let fetched = await this.#fetch<BookReviews>(url, "reviews", headers);
    for (let tried = 1; tried < REVIEWS_TRIES && !fetched.ok; tried++) {
      fetched = await this.#fetch<BookReviews>(url, "reviews", headers);
    }
    return fetched;
  }

  async #flood(id: number, headers: Record<string, string>): Promise<void> {
    const { floodFactor } = this.#options;
    await Promise.all(Array.from({ length: floodFactor }, () => this.#reviews(id, headers)));
  }

  async #fetch<T>(
    url: string,
    what: "details" | "reviews" | "ratings",
    headers: Record<string, string>,
  ): Promise<Fetched<T>> {
    const error = `Sorry, product ${what} are currently unavailable for this book.`;
    try {
      const { status, body } = await this.#options.client.get(url, {
        headers,
        timeoutMs: CALL_TIMEOUT_MS,
      });
      if (status !== 200) return { ok: false, status, error };
      return { ok: true, status, value: JSON.parse(body) as T };
    } catch {
      return { ok: false, status: 500, error };
    }
  }
}

function html(body: string): AppResponse {
  return { status: 200, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

function notAllowed(method: string): AppResponse {
  return text(405, `${method} is not allowed here`);
}

/** Back to where the reader came from; only its path counts, so nobody can be sent elsewhere. */
function redirectBack(request: AppRequest, cookie: string): AppResponse {
  const referer = request.headers.referer ?? "";
  const path = URL.canParse(referer) ? new URL(referer).pathname : "";
  const location = /^\/[^/\\]/.test(path) && path !== "/login" ? path : "/productpage";
  return {
    status: 302,
    headers: { location, "set-cookie": cookie, "content-type": "text/plain; charset=utf-8" },
    body: "",
  };
}
