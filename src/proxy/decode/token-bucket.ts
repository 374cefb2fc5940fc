import {
  type TokenBucket,
  TokenBucketSchema,
} from "../../api/gen/envoy/type/v3/token_bucket_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { TokenBucketConfig } from "../rate-limit/token-bucket.ts";

const FIELDS = ["max_tokens", "tokens_per_fill", "fill_interval"];

const FILL_INTERVAL_MS_MIN = 50;

/**
 * Decodes a token bucket; `whose` tells in Envoy's words which. One that fills in less than a
 * millisecond is none for Envoy: `undefined`.
 */
export function decodeTokenBucket(
  message: TokenBucket,
  { whose, path, issues }: { whose: "" | "descriptor "; path: string; issues: Issue[] },
): TokenBucketConfig | undefined {
  issues.push(...refuseFields(TokenBucketSchema, message, FIELDS, path));
  const { maxTokens, tokensPerFill = 1 } = message;
  const fillIntervalMs = Math.floor(durationMs(message.fillInterval) ?? 0);
  if (fillIntervalMs === 0 && whose === "") return undefined;
  // How fast one fills that holds nothing does not matter.
  if (fillIntervalMs < FILL_INTERVAL_MS_MIN && maxTokens > 0) {
    const what = `local rate limit ${whose}token bucket fill timer must be >= 50ms`;
    issues.push({ path, message: what });
  }
  return { maxTokens, tokensPerFill, fillIntervalMs };
}
