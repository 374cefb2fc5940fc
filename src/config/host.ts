const LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
/** The first label may be `*`, or start with `*` or `*-`, as Istio has it. */
const WILD_LABEL = /^(\*|(\*|\*-)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)$/;
const DOMAIN_LENGTH_MAX = 255;
const LABEL_LENGTH_MAX = 63;

/** What is wrong with a domain name, lower case, or `undefined`. */
export function checkDomain(domain: string): string | undefined {
  return checkLabels(domain, LABEL);
}

/** Like `checkDomain`, where `*` and `*.example.com` are allowed too. */
export function checkWildcardDomain(domain: string): string | undefined {
  return checkLabels(domain, WILD_LABEL);
}

/** Whether some host name matches both: equal names, or a wildcard that covers the other. */
export function isHostOverlap(left: string, right: string): boolean {
  const suffixes = [left, right].map((host) => (host.startsWith("*") ? host.slice(1) : undefined));
  const [leftSuffix, rightSuffix] = suffixes;
  if (leftSuffix !== undefined && rightSuffix !== undefined) {
    return leftSuffix.endsWith(rightSuffix) || rightSuffix.endsWith(leftSuffix);
  }
  if (leftSuffix !== undefined) return right.endsWith(leftSuffix);
  if (rightSuffix !== undefined) return left.endsWith(rightSuffix);
  return left === right;
}

function checkLabels(domain: string, first: RegExp): string | undefined {
  if (domain === "") return "must not be empty";
  if (domain.length > DOMAIN_LENGTH_MAX) {
    return `must have at most ${DOMAIN_LENGTH_MAX} characters: got ${domain.length}`;
  }
  // A last dot makes the name unambiguous: `example.com.`
  const labels = domain.replace(/\.$/, "").split(".");
  for (const [at, label] of labels.entries()) {
    const isLabel = (at === 0 ? first : LABEL).test(label) && label.length <= LABEL_LENGTH_MAX;
    if (!isLabel) return `must be a host name: got "${domain}" ("${label}" is not a DNS label)`;
  }
  const last = labels.at(-1) ?? "";
  if (labels.length > 1 && /^\d+$/.test(last)) {
    return `must be a host name: got "${domain}" (its last part "${last}" is a number)`;
  }
  return undefined;
}
