import { formatIssue } from "../../base/issue.ts";
import { OK, type Page, type PageRequest, type Rendered } from "./page.ts";

const USAGE =
  "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n" +
  "       or send the parameters as form values\n" +
  "use an empty value to remove a previously added override";

/** What the runtime says, and a way to change it while the proxy runs. */
export const RUNTIME_PAGES: readonly Page[] = [
  {
    path: "/runtime",
    help: "print runtime values",
    render: ({ state }) => ({ body: state.runtime.dump() }),
  },
  {
    path: "/runtime_modify",
    help: "change runtime values: key1=value1&key2=value2, an empty value takes one out",
    isPost: true,
    isForAll: true,
    takesBody: true,
    render: modify,
  },
];

/** All values at once, or none: what Envoy would take and not heed is refused. */
function modify({ state: { runtime }, query, body }: PageRequest): Rendered {
  // As in the query, a plus is no blank.
  const form = new URLSearchParams(body.replaceAll("+", "%2B"));
  const changes = [...(query.size > 0 ? query : form)];
  if (changes.length === 0) return { status: 400, body: USAGE };
  if (!runtime.hasAdminLayer) return { status: 503, body: "No admin layer specified" };
  const issues = runtime.modify(changes);
  if (issues.length === 0) return OK;
  return { status: 400, body: issues.map((issue) => `${formatIssue(issue)}\n`).join("") };
}
