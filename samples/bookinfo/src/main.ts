/**
 * One of Bookinfo's four services: `main.ts details|ratings|reviews|productpage`.
 *
 * - `WEFT_BIND`, `PORT`: where to listen, 127.0.0.1 and 9080 unless said otherwise.
 * - `SERVICE_VERSION`: v1, v2 or v3 of reviews; or `ENABLE_RATINGS` and `STAR_COLOR`, as in Istio's images.
 * - `http_proxy`, `no_proxy`: how to reach the others.
 * - `SERVICES_DOMAIN`, `<SERVICE>_HOSTNAME`, `<SERVICE>_SERVICE_PORT`: where the others are.
 */
import { hostname } from "node:os";
import { type App, listen } from "./app-server.ts";
import { createDetails } from "./details.ts";
import { createProductPage } from "./productpage.ts";
import { createRatings } from "./ratings.ts";
import { createReviews, STARS_BY_VERSION } from "./reviews.ts";
import { ServiceClient } from "./service-client.ts";

type Env = Readonly<Record<string, string | undefined>>;

const GRACE_MS = 5_000;

// Whoever signs in here only chooses a name: the key guards nothing, but all replicas must share it.
const DEMO_SESSION_KEY = "bookinfo-demo";

const APPS: Readonly<Record<string, (env: Env, client: ServiceClient) => App>> = {
  details: () => createDetails(),
  ratings: () => createRatings(),
  reviews: (env, client) =>
    createReviews({
      starColor: starColorOf(env),
      ratingsUrl: urlOf("ratings", env),
      client,
      podName: env["HOSTNAME"] ?? hostname(),
      clusterName: env["CLUSTER_NAME"] ?? null,
    }),
  productpage: (env, client) =>
    createProductPage({
      detailsUrl: urlOf("details", env),
      reviewsUrl: urlOf("reviews", env),
      ratingsUrl: urlOf("ratings", env),
      client,
      sessionKey: env["SESSION_KEY"] ?? DEMO_SESSION_KEY,
      floodFactor: Number(env["FLOOD_FACTOR"] ?? 0),
    }),
};

function starColorOf(env: Env): "black" | "red" | undefined {
  if (env["ENABLE_RATINGS"] !== undefined) {
    if (env["ENABLE_RATINGS"] !== "true") return undefined;
    return env["STAR_COLOR"] === "red" ? "red" : "black";
  }
  const version = env["SERVICE_VERSION"] ?? "v1";
  if (version in STARS_BY_VERSION) return STARS_BY_VERSION[version];
  return fail(`SERVICE_VERSION is "${version}"; reviews has v1, v2 and v3`);
}

function urlOf(service: string, env: Env): string {
  const name = service.toUpperCase();
  const domain = env["SERVICES_DOMAIN"];
  const host = env[`${name}_HOSTNAME`] ?? service;
  const port = env[`${name}_SERVICE_PORT`] ?? "9080";
  return `http://${host}${domain === undefined || domain === "" ? "" : `.${domain}`}:${port}`;
}

function fail(message: string): never {
  process.stderr.write(`bookinfo: ${message}\n`);
  process.exit(2);
}

async function main(): Promise<void> {
  const { env } = process;
  const service = process.argv[2] ?? "";
  const create = APPS[service];
  if (create === undefined) {
    return fail(`no service "${service}"; there are ${Object.keys(APPS).join(", ")}`);
  }
  const address = env["WEFT_BIND"] ?? "127.0.0.1";
  const port = Number(env["PORT"] ?? 9080);
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  const client = new ServiceClient(env);
  const server = await listen(create(env, client), { address, port, log }).catch((error: unknown) =>
    fail(
      `${service} cannot listen on ${address}:${port}: ${error instanceof Error ? error.message : String(error)}`,
    ),
  );
  log(`${service} listens on ${address}:${server.port}`);
  await new Promise<void>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve());
  });
  await server.close(GRACE_MS);
  client.close();
}

await main();
