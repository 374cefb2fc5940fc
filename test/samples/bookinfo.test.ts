import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type BookinfoProcess, RecordingProxy, startBookinfo } from "./bookinfo-processes.ts";

const proxy = new RecordingProxy();
const started = new Map<string, BookinfoProcess>();

function urlOf(name: string): string {
  return `http://127.0.0.1:${started.get(name)?.port}`;
}

async function getJson(url: string, init?: RequestInit): Promise<unknown> {
  return await (await fetch(url, init)).json();
}

/** Which versions the names lead to; `undefined` takes a service away. */
function route(names: Readonly<Record<string, string | undefined>>): void {
  for (const [host, name] of Object.entries(names)) {
    const port = name === undefined ? undefined : started.get(name)?.port;
    if (port === undefined) proxy.backends.delete(host);
    else proxy.backends.set(host, port);
  }
}

beforeAll(async () => {
  const env = { http_proxy: await proxy.start(), HOSTNAME: "pod-1" };
  const start = async (
    name: string,
    service: string,
    more: Record<string, string>,
  ): Promise<void> => {
    started.set(name, await startBookinfo(service, { ...env, ...more }));
  };
  await Promise.all([
    start("details", "details", {}),
    start("ratings", "ratings", {}),
    start("productpage", "productpage", {}),
    ...["v1", "v2", "v3"].map((version) =>
      start(`reviews-${version}`, "reviews", { SERVICE_VERSION: version }),
    ),
  ]);
});

afterEach(() => {
  proxy.seen.length = 0;
});

afterAll(async () => {
  await Promise.all([...started.values()].map((process) => process.stop()));
  await proxy.stop();
});

describe("details", () => {
  test("describes the book", async () => {
    expect(await getJson(`${urlOf("details")}/details/7`)).toEqual({
      id: 7,
      author: "William Shakespeare",
      year: 1595,
      type: "paperback",
      pages: 200,
      publisher: "PublisherA",
      language: "English",
      "ISBN-10": "1234567890",
      "ISBN-13": "123-1234567890",
    });
  });

  test("refuses an id that is no number, and other pages", async () => {
    expect((await fetch(`${urlOf("details")}/details/x`)).status).toBe(400);
    expect((await fetch(`${urlOf("details")}/other`)).status).toBe(404);
  });
});

describe("ratings", () => {
  test("keeps what is posted, by book", async () => {
    const url = `${urlOf("ratings")}/ratings`;
    const usual = { Reviewer1: 5, Reviewer2: 4 };
    expect(await getJson(`${url}/0`)).toEqual({ id: 0, ratings: usual });
    const body = JSON.stringify({ Reviewer1: 1 });
    const posted = { id: 3, ratings: { Reviewer1: 1 } };
    expect(await getJson(`${url}/3`, { method: "POST", body })).toEqual(posted);
    expect(await getJson(`${url}/3`)).toEqual(posted);
    expect(await getJson(`${url}/0`)).toEqual({ id: 0, ratings: usual });
  });

  test.each(["{", "[]", '{"Reviewer1":"five"}'])("refuses %s", async (body) => {
    const answer = await fetch(`${urlOf("ratings")}/ratings/0`, { method: "POST", body });
    expect(answer.status).toBe(400);
  });

  test("refuses a body that is too large", async () => {
    const body = JSON.stringify({ text: "x".repeat(100_000) });
    const answer = await fetch(`${urlOf("ratings")}/ratings/0`, { method: "POST", body });
    expect(answer.status).toBe(413);
  });
});

describe("reviews", () => {
  test.each([
    ["v1", undefined],
    ["v2", "black"],
    ["v3", "red"],
  ])("%s shows %s stars", async (version, color) => {
    route({ ratings: "ratings" });
    const answer = (await getJson(`${urlOf(`reviews-${version}`)}/reviews/0`)) as {
      reviews: { reviewer: string; text: string; rating?: unknown }[];
    };
    expect(answer).toMatchObject({ id: "0", podname: "pod-1", clustername: null });
    expect(answer.reviews.map(({ reviewer, rating }) => ({ reviewer, rating }))).toEqual([
      { reviewer: "Reviewer1", rating: color && { stars: 5, color } },
      { reviewer: "Reviewer2", rating: color && { stars: 4, color } },
    ]);
    expect(proxy.seen.map(({ target }) => target)).toEqual(
      color === undefined ? [] : ["http://ratings:9080/ratings/0"],
    );
  });

  test("says so when there are no ratings", async () => {
    route({ ratings: undefined });
    expect(await getJson(`${urlOf("reviews-v2")}/reviews/0`)).toMatchObject({
      reviews: [
        { rating: { error: "Ratings service is currently unavailable" } },
        { rating: { error: "Ratings service is currently unavailable" } },
      ],
    });
  });
});

describe("productpage", () => {
  test("shows the book with details, reviews and who served them", async () => {
    route({ details: "details", reviews: "reviews-v3", ratings: "ratings" });
    const page = await (await fetch(`${urlOf("productpage")}/productpage`)).text();
    expect(page).toContain("    <title>Simple Bookstore App</title>\n");
    expect(page).toContain("The Comedy of Errors");
    expect(page).toContain("PublisherA");
    expect(page).toContain("Reviews served by: <u>pod-1</u>");
    expect(page.match(/<font color="red"/g)).toHaveLength(2);
    expect(page.match(/glyphicon-star"/g)).toHaveLength(9);
  });

  test("shows no stars from v1 and the error of missing ratings from v2", async () => {
    route({ details: "details", reviews: "reviews-v1", ratings: undefined });
    const url = `${urlOf("productpage")}/productpage`;
    expect(await (await fetch(url)).text()).not.toContain("glyphicon-star");
    route({ reviews: "reviews-v2" });
    const page = await (await fetch(url)).text();
    expect(page).toContain("Ratings service is currently unavailable");
  });

  test("is still a page when details and reviews are gone, and asks reviews twice", async () => {
    route({ details: undefined, reviews: undefined });
    const answer = await fetch(`${urlOf("productpage")}/productpage`);
    expect(answer.status).toBe(200);
    const page = await answer.text();
    expect(page).toContain("Error fetching product details!");
    expect(page).toContain("Sorry, product details are currently unavailable for this book.");
    expect(page).toContain("Error fetching product reviews!");
    expect(page).toContain("Sorry, product reviews are currently unavailable for this book.");
    const targets = proxy.seen.map(({ target }) => target);
    expect(targets.filter((target) => target.includes("reviews"))).toHaveLength(2);
  });

  test("hands trace headers on, over two hops, and no others", async () => {
    route({ details: "details", reviews: "reviews-v2", ratings: "ratings" });
    const traced = {
      "x-request-id": "7f3c",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "a=1",
      "x-b3-traceid": "1",
      "x-b3-spanid": "2",
      "x-b3-parentspanid": "3",
      "x-b3-sampled": "1",
      "x-b3-flags": "0",
      b3: "1-2-1",
      "x-ot-span-context": "4",
      "x-datadog-trace-id": "5",
      "x-cloud-trace-context": "6/7;o=1",
      "grpc-trace-bin": "AAA=",
      sw8: "1-x",
      "user-agent": "tester/1",
    };
    await fetch(`${urlOf("productpage")}/productpage`, {
      headers: { ...traced, "x-other": "stays" },
    });
    expect(proxy.seen.map(({ target }) => target).sort()).toEqual([
      "http://details:9080/details/0",
      "http://ratings:9080/ratings/0",
      "http://reviews:9080/reviews/0",
    ]);
    for (const { headers } of proxy.seen) {
      expect(headers).toMatchObject(traced);
      expect(headers["x-other"]).toBeUndefined();
      expect(headers["end-user"]).toBeUndefined();
    }
  });

  test("sends the name that signed in as end-user, until signed out", async () => {
    route({ details: "details", reviews: "reviews-v2", ratings: "ratings" });
    const base = urlOf("productpage");
    const login = await fetch(`${base}/login`, {
      method: "POST",
      redirect: "manual",
      headers: { referer: `${base}/productpage` },
      body: new URLSearchParams({ username: "jason", passwd: "x" }),
    });
    expect(login.status).toBe(302);
    expect(login.headers.get("location")).toBe("/productpage");
    const cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = await (await fetch(`${base}/productpage`, { headers: { cookie } })).text();
    expect(page).toContain("<span>jason</span>");
    expect(proxy.seen.map(({ headers }) => headers["end-user"])).toEqual(
      Array.from({ length: 3 }, () => "jason"),
    );
    const logout = await fetch(`${base}/logout`, { redirect: "manual", headers: { cookie } });
    expect(logout.status).toBe(302);
    expect(logout.headers.get("set-cookie")).toContain("session=; Max-Age=0");
  });

  test("believes no cookie that it did not sign", async () => {
    route({ details: "details", reviews: "reviews-v1" });
    const cookie = `session=${Buffer.from("admin").toString("base64url")}.forged`;
    await fetch(`${urlOf("productpage")}/productpage`, { headers: { cookie } });
    for (const { headers } of proxy.seen) expect(headers["end-user"]).toBeUndefined();
  });

  test("never sends anybody to another site, and shows names as text", async () => {
    const base = urlOf("productpage");
    const login = await fetch(`${base}/login`, {
      method: "POST",
      redirect: "manual",
      headers: { referer: "http://evil.example//evil.example/x" },
      body: new URLSearchParams({ username: "<b>é\r\n" }),
    });
    expect(login.headers.get("location")).toBe("/productpage");
    const cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = await (await fetch(`${base}/productpage`, { headers: { cookie } })).text();
    expect(page).toContain("&lt;b&gt;?");
  });

  test("offers the same as JSON", async () => {
    route({ details: "details", reviews: "reviews-v3", ratings: "ratings" });
    const products = `${urlOf("productpage")}/api/v1/products`;
    expect(await getJson(products)).toMatchObject([{ id: 0, title: "The Comedy of Errors" }]);
    expect(await getJson(`${products}/0`)).toMatchObject({ id: 0, pages: 200 });
    expect(await getJson(`${products}/0/reviews`)).toMatchObject({
      reviews: [{ rating: { stars: 5, color: "red" } }, { rating: { stars: 4, color: "red" } }],
    });
    expect(await getJson(`${products}/0/ratings`)).toMatchObject({ ratings: { Reviewer1: 5 } });
    expect((await fetch(`${products}/..%2Fhealth`)).status).toBe(400);
    route({ ratings: undefined });
    const failed = await fetch(`${products}/0/ratings`);
    expect(failed.status).toBe(503);
    expect(await failed.json()).toEqual({
      error: "Sorry, product ratings are currently unavailable for this book.",
    });
  });

  test.each([
    ["/", "text/html"],
    ["/health", "text/plain"],
    ["/static/bookinfo.css", "text/css"],
    ["/static/icon.svg", "image/svg+xml"],
  ])("serves %s", async (path, type) => {
    const answer = await fetch(`${urlOf("productpage")}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain(type);
  });
});

describe("every service", () => {
  test.each(["details", "ratings", "reviews-v1", "productpage"])("%s is healthy", async (name) => {
    const answer = await fetch(`${urlOf(name)}/health`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("is healthy");
  });

  test("ends in order on SIGTERM, with a connection still open", async () => {
    const process = await startBookinfo("details");
    await fetch(`http://127.0.0.1:${process.port}/details/0`);
    expect(await process.stop()).toBe(0);
    expect(process.lines).toContain("GET /details/0 200");
  });

  test("listens on loopback alone, and says what is wrong with how it was started", async () => {
    expect(started.get("details")?.lines[0]).toMatch(/^details listens on 127\.0\.0\.1:\d+$/);
    await expect(startBookinfo("nothing")).rejects.toThrow(
      'no service "nothing"; there are details, ratings, reviews, productpage',
    );
    await expect(startBookinfo("reviews", { SERVICE_VERSION: "v9" })).rejects.toThrow(
      'SERVICE_VERSION is "v9"',
    );
    const taken = String(started.get("details")?.port);
    await expect(startBookinfo("details", { PORT: taken })).rejects.toThrow("EADDRINUSE");
  });
});

test("`no_proxy` exempts a host from the proxy", async () => {
  const page = await startBookinfo("productpage", {
    http_proxy: "http://127.0.0.1:1",
    no_proxy: "other.example,127.0.0.1",
    DETAILS_HOSTNAME: "127.0.0.1",
    DETAILS_SERVICE_PORT: String(started.get("details")?.port),
  });
  const products = `http://127.0.0.1:${page.port}/api/v1/products`;
  expect((await fetch(`${products}/0`)).status).toBe(200);
  expect((await fetch(`${products}/0/reviews`)).status).toBe(500);
  await page.stop();
});
