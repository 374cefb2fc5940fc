import { showJson } from "../config/json.ts";
import type { ObjectKey } from "../config/object.ts";
import { jsonPage, type Page, textPage } from "./page.ts";
import type { DistributionAnswer } from "./status-board.ts";

/** Most objects that one request asks for. */
const OBJECTS_MAX = 500;

const USAGE =
  "say which: ?object=GROUP/KIND/NAMESPACE/NAME (repeated for several)[&proxy=POD.NS]\n";

/**
 * `/debug/distribution`: how far some objects have come, for `weft wait`. An object that is not
 * there is answered too: what is left of it at proxies.
 */
export function distributionPage(
  answer: (key: ObjectKey, proxy?: string) => DistributionAnswer | undefined,
  query: URLSearchParams,
): Page {
  const texts = query.getAll("object");
  const proxy = query.get("proxy") ?? undefined;
  if (texts.length === 0) return textPage(USAGE, 400);
  if (texts.length > OBJECTS_MAX) {
    return textPage(`at most ${OBJECTS_MAX} objects at a time, not ${texts.length}\n`, 400);
  }
  const answers: DistributionAnswer[] = [];
  for (const text of texts) {
    const [group, kind, namespace, name, ...more] = text.split("/");
    const isWhole = group !== undefined && kind !== undefined && namespace !== undefined;
    if (!isWhole || name === undefined || name === "" || kind === "" || more.length > 0) {
      return textPage(`${showJson(text)} is not GROUP/KIND/NAMESPACE/NAME; ${USAGE}`, 400);
    }
    const found = answer({ group, kind, namespace, name }, proxy);
    if (found === undefined) return textPage(`proxy "${proxy}" is not connected\n`, 404);
    answers.push(found);
  }
  return jsonPage(answers, query);
}
