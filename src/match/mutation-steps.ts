import {
  type HeaderMutation,
  HeaderMutation_RemoveOnMatchSchema,
  HeaderMutationSchema,
} from "../api/gen/envoy/config/common/mutation_rules/v3/mutation_rules_pb.js";
import type { Issue } from "../base/issue.ts";
import type { FormatExtras } from "./format/operator.ts";
import { decodeAddition, type HeaderAddition, isFixedHeader } from "./header-mutations.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileStringMatch, type StringPredicate } from "./string-match.ts";
import { wireText } from "./wire-text.ts";

/** One change of a list of headers; each sees what the one before it has left. */
export type MutationStep =
  | { readonly kind: "write"; readonly addition: HeaderAddition }
  /** The name in lower case. */
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "removeMatching"; readonly matches: StringPredicate };

/** Decodes changes that are made one after the other; `path` is that of the list. */
export function decodeMutationSteps(
  messages: readonly HeaderMutation[],
  path: string,
  issues: Issue[],
  formatters: FormatExtras,
): readonly MutationStep[] {
  return messages.flatMap((message, index): MutationStep[] => {
    const at = `${path}[${index}]`;
    const fields = ["remove", "append", "remove_on_match"];
    issues.push(...refuseFields(HeaderMutationSchema, message, fields, at));
    const { action } = message;
    switch (action.case) {
      case "append": {
        const where = joinPath(at, "append");
        const addition = decodeAddition(action.value, where, issues, formatters);
        return [{ kind: "write", addition }];
      }
      case "remove": {
        const name = wireText(action.value).toLowerCase();
        if (isFixedHeader(name)) {
          const what = ":-prefixed or host headers may not be removed";
          issues.push({ path: joinPath(at, "remove"), message: what });
        }
        return [{ kind: "remove", name }];
      }
      case "removeOnMatch": {
        const where = joinPath(at, "remove_on_match");
        const { value } = action;
        issues.push(
          ...refuseFields(HeaderMutation_RemoveOnMatchSchema, value, ["key_matcher"], where),
        );
        const { keyMatcher } = value;
        const matcherPath = joinPath(where, "key_matcher");
        return [
          { kind: "removeMatching", matches: compileStringMatch(keyMatcher, matcherPath, issues) },
        ];
      }
      case undefined:
        issues.push({ path: at, message: "must have one of remove, append, remove_on_match" });
        return [];
    }
  });
}
