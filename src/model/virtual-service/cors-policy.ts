import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import type { CorsPolicy as Written } from "../../config/http-route.ts";
import type { CorsPolicy } from "../route.ts";
import { buildTextMatch, type TextMatch } from "../route-match.ts";

/** The CORS policy of a rule. The older `allowOrigin` counts where there is no `allowOrigins`. */
export function buildCorsPolicy(
  written: Written | undefined,
  path: string,
  issues: Issue[],
): CorsPolicy | undefined {
  if (written === undefined) return undefined;
  const { allowOrigin = [], allowOrigins, maxAge, unmatchedPreflights } = written;
  const exact = allowOrigin.map((value): TextMatch => ({ type: "exact", value }));
  const origins = allowOrigins?.flatMap(
    (match, index) => buildTextMatch(match, `${path}.allowOrigins[${index}]`, issues) ?? [],
  );
  return {
    allowOrigins: origins ?? exact,
    allowMethods: written.allowMethods ?? [],
    allowHeaders: written.allowHeaders ?? [],
    exposeHeaders: written.exposeHeaders ?? [],
    maxAgeMs: maxAge === undefined ? undefined : parseDurationMs(maxAge),
    allowCredentials: written.allowCredentials,
    isUnmatchedForwarded: unmatchedPreflights !== "IGNORE",
  };
}
