/** What a client's words say about which resources it refused. */

/** Whether a client's words name a resource, and not one whose longer name begins or ends alike. */
export function isMentioned(name: string, message: string): boolean {
  return mentionOf(name, message) !== -1;
}

function mentionOf(name: string, message: string): number {
  for (let at = message.indexOf(name); at !== -1; at = message.indexOf(name, at + 1)) {
    const [before, after] = [message[at - 1] ?? " ", message[at + name.length] ?? " "];
    if (!/[\w|-]/.test(before) && !/[\w|-]/.test(after)) return at;
  }
  return -1;
}

/**
 * The resources that a refusal names, with what it says of each: Envoy lists `name: reason`, one
 * after the other. Empty when it names none of them.
 */
export function parseRefusals(
  message: string,
  names: Iterable<string>,
): ReadonlyMap<string, string> {
  const mentions: { readonly name: string; readonly at: number }[] = [];
  for (const name of names) {
    const at = name === "" ? -1 : mentionOf(name, message);
    if (at !== -1) mentions.push({ name, at });
  }
  mentions.sort((left, right) => left.at - right.at);
  return new Map(
    mentions.map(({ name, at }, index) => {
      const reason = message
        .slice(at + name.length, mentions[index + 1]?.at)
        .replace(/^[\s:'"]+|[\s,;]+$/g, "");
      return [name, reason === "" ? message : reason];
    }),
  );
}
