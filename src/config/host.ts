import { isIP } from "node:net";

const LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
/** The first label may be `*`, or start with `*` or `*-`, as Istio has it. */
const WILD_LABEL = /^(\*|(\*|\*-)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)$/;
/** What a gateway between networks is asked for: `outbound_.80_.v1_.host`. */
const GATEWAY_SNI = /^outbound_(?<port>[^_]*)_[^_]*_(?<host>[^_]*)(_|$)/;
const DOMAIN_LENGTH_MAX = 255;
const LABEL_LENGTH_MAX = 63;

/** What is wrong with a domain name, or `undefined`. */
export function checkDomain(domain: string): string | undefined {
  return checkLabels(domain, LABEL);
}

/** Like `checkDomain`, where `*` and `*.example.com` are allowed too. */
export function checkWildcardDomain(domain: string): string | undefined {
  return checkLabels(domain, WILD_LABEL);
}

/**
 * Like `checkWildcardDomain`, where the server names between gateways are allowed too, which carry
 * a port and a subset: `outbound_.80_.v1_.reviews.default.svc.cluster.local`.
 */
export function checkServerName(domain: string): string | undefined {
  if (!domain.startsWith("outbound_") || domain.length > DOMAIN_LENGTH_MAX) {
    return checkWildcardDomain(domain);
  }
  const { port = "", host = "" } = GATEWAY_SNI.exec(domain)?.groups ?? {};
  if (/\d/.test(port) && /[a-zA-Z]/.test(host)) return undefined;
  return `must have the form outbound_.<port>_.<subset>_.<host>: got "${domain}"`;
}

/** A DNS label in which, as Istio has it, letters may be upper case: a subset, a gateway. */
export function isHostLabel(text: string): boolean {
  return text.length <= LABEL_LENGTH_MAX && LABEL.test(text);
}

/** What is wrong with an IP address or a CIDR range (`10.0.0.0/8`), or `undefined`. */
export function checkSubnet(text: string): string | undefined {
  const slash = text.indexOf("/");
  const version = isIP(slash === -1 ? text : text.slice(0, slash));
  const bits = slash === -1 ? "0" : text.slice(slash + 1);
  const bitsMax = version === 4 ? 32 : 128;
  const isBits = /^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= bitsMax;
  // The zone of `fe80::1%eth0` has no meaning to another machine.
  if (version !== 0 && isBits && !(slash !== -1 && text.includes("%"))) return undefined;
  return `must be an IP address or a range like 10.0.0.0/8: got "${text}"`;
}

/** Whether every name that `inner` stands for is one that `outer` stands for. */
export function isHostWithin(inner: string, outer: string): boolean {
  if (!outer.startsWith("*")) return inner === outer;
  const suffix = outer.slice(1);
  return (inner.startsWith("*") ? inner.slice(1) : inner).endsWith(suffix);
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
