/** Requests to a route with a local rate limit, one after the other on one connection. */
export interface RateLimitCase {
  readonly name: string;
  /** `LocalRateLimit` of the route, over what all cases have. */
  readonly limit: object;
  /** `rate_limits` of the route, and of its virtual host. */
  readonly routeLimits?: readonly object[];
  readonly hostLimits?: readonly object[];
  /** More of the route and of its action. */
  readonly route?: object;
  readonly action?: object;
  /** Header lines of each request. */
  readonly sends: readonly string[];
  readonly path?: string;
  readonly method?: string;
  readonly statuses: readonly number[];
}

export const ALL = { default_value: { numerator: 100 } };
export const TELL = { enable_x_ratelimit_headers: "DRAFT_VERSION_03" };

export function bucket(maxTokens: number, interval = "1000s", perFill = 1): object {
  return {
    token_bucket: { max_tokens: maxTokens, tokens_per_fill: perFill, fill_interval: interval },
  };
}

/** A bucket for requests with these entries: `key=value`, an empty value for any. */
export function descriptor(
  entries: string,
  maxTokens: number,
  interval?: string,
  more = {},
): object {
  const parts = entries.split(" ").map((entry) => {
    const at = entry.indexOf("=");
    return { key: entry.substring(0, at), value: entry.substring(at + 1).replaceAll("_", " ") };
  });
  return { entries: parts, ...bucket(maxTokens, interval), ...more };
}

export const none = (count: number): readonly string[] => Array.from({ length: count }, () => "");
export const key = (value: string, name = ""): object => ({
  generic_key: { descriptor_value: value, ...(name === "" ? {} : { descriptor_key: name }) },
});
export const rule = (...actions: readonly object[]): object => ({ actions });

/** An action for a header of requests. */
export const ofHeader = (name: string, options: object = {}): object => ({
  request_headers: { header_name: name, descriptor_key: "h", ...options },
});
