import type { BookDetails, BookReviews, Fetched, Product } from "./product.ts";

const STARS_MAX = 5;

/** What one product page shows. */
export interface ProductView {
  readonly product: Product;
  readonly details: Fetched<BookDetails>;
  readonly reviews: Fetched<BookReviews>;
  readonly user: string | undefined;
}

/** The product page. Words and class names are the ones that people look for with grep. */
export function renderProduct({ product, details, reviews, user }: ProductView): string {
  return layout(`
  <header>
    <a class="brand" href="/productpage">BookInfo Sample</a>
    ${user === undefined ? signInForm() : signedIn(user)}
  </header>
  <main>
    <section class="book">
      <h3>${escapeHtml(product.title)}</h3>
      <p>Summary: ${product.descriptionHtml}</p>
    </section>
    <div class="columns">
      <section class="card">${details.ok ? renderDetails(details.value) : renderError("details", details.error)}
      </section>
      <section class="card">${reviews.ok ? renderReviews(reviews.value) : renderError("reviews", reviews.error)}
      </section>
    </div>
  </main>`);
}

/** The front page. */
export function renderIndex(): string {
  return layout(`
  <header><a class="brand" href="/productpage">BookInfo Sample</a></header>
  <main>
    <section class="book">
      <h3>Hello! This is a simple bookstore application consisting of four services</h3>
      <p>productpage calls details and reviews; reviews v2 and v3 call ratings.</p>
    </section>
    <section class="card">
      <table>
        <tr><th>service</th><th>address</th><th>calls</th></tr>
        <tr><td>productpage</td><td>http://productpage:9080</td><td>details, reviews</td></tr>
        <tr><td>details</td><td>http://details:9080</td><td></td></tr>
        <tr><td>reviews</td><td>http://reviews:9080</td><td>ratings (v2, v3)</td></tr>
        <tr><td>ratings</td><td>http://ratings:9080</td><td></td></tr>
      </table>
      <p><a href="/productpage?u=normal">Normal user</a> · <a href="/productpage?u=test">Test user</a></p>
    </section>
  </main>`);
}

function layout(body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Simple Bookstore App</title>
    <link rel="icon" href="/static/icon.svg">
    <link rel="stylesheet" href="/static/bookinfo.css">
  </head>
  <body>${body}
  </body>
</html>
`;
}

function signInForm(): string {
  return `<details class="sign-in">
      <summary>Sign in</summary>
      <form method="post" action="/login" name="login_form">
        <input type="text" name="username" aria-label="User name" placeholder="User Name" required>
        <input type="password" name="passwd" aria-label="Password" placeholder="Password">
        <button type="submit">Sign in</button>
      </form>
    </details>`;
}

function signedIn(user: string): string {
  return `<p class="user"><span>${escapeHtml(user)}</span> (<a href="/logout">sign out</a>)</p>`;
}

function renderDetails(details: BookDetails): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ["Type", details.type],
    ["Pages", details.pages],
    ["Publisher", details.publisher],
    ["Language", details.language],
    ["ISBN-10", details["ISBN-10"]],
    ["ISBN-13", details["ISBN-13"]],
  ];
  const list = rows.map(
    ([name, value]) => `
          <dt>${name}:</dt><dd>${escapeHtml(String(value))}</dd>`,
  );
  return `
        <h4>Book Details</h4>
        <dl>${list.join("")}
        </dl>`;
}

function renderReviews({ reviews, podname, clustername }: BookReviews): string {
  const quotes = reviews.map(
    ({ text, reviewer, rating }) => `
        <blockquote>
          <p>${escapeHtml(text)}</p>
          <small>${escapeHtml(reviewer)}</small>${renderRating(rating)}
        </blockquote>`,
  );
  const cluster = clustername === null ? "" : ` on cluster <u>${escapeHtml(clustername)}</u>`;
  const pod = `
        <p class="served-by">Reviews served by: <u>${escapeHtml(podname ?? "unknown")}</u>${cluster}</p>`;
  return `
        <h4>Book Reviews</h4>${quotes.join("")}${pod}`;
}

function renderRating(rating: BookReviews["reviews"][number]["rating"]): string {
  if (rating?.error !== undefined) {
    return `
          <p class="error"><i>${escapeHtml(rating.error)}</i></p>`;
  }
  if (rating?.stars === undefined) return "";
  const stars = Math.max(0, Math.min(STARS_MAX, Math.round(rating.stars)));
  const color = escapeHtml(rating.color ?? "black");
  const full = '<span class="glyphicon glyphicon-star">★</span>'.repeat(stars);
  const empty = '<span class="glyphicon glyphicon-star-empty">☆</span>'.repeat(STARS_MAX - stars);
  return `
          <font color="${color}" role="img" aria-label="${stars} of ${STARS_MAX} stars">${full}${empty}</font>`;
}

function renderError(what: string, error: string): string {
  return `
        <h4>Error fetching product ${what}!</h4>
        <p class="error">${escapeHtml(error)}</p>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}
