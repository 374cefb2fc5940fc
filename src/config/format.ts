import { isIPv4, isIPv6 } from "node:net";
import { parseDurationMs } from "../base/duration.ts";

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const DNS_SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** A DNS label as RFC 1123 has it: what a namespace, a container or a port may be called. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

/** Dot-separated DNS labels, 253 characters at most: what most objects may be called. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text);
}

/** A label's or annotation's key: `name` or `prefix.example.com/name`. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf("/");
  if (slash === -1) return QUALIFIED_NAME.test(text);
  return isDnsSubdomain(text.slice(0, slash)) && QUALIFIED_NAME.test(text.slice(slash + 1));
}

export function isLabelValue(text: string): boolean {
  return LABEL_VALUE.test(text);
}

/** Go counts durations in nanoseconds of 64 bits: 292 years. */
const DURATION_MS_MAX = 9_223_372_036_854;

interface Format {
  readonly test: (text: string) => boolean;
  /** Ends "must be …". */
  readonly mustBe: string;
}

/** The formats that are checked, by the names that Kubernetes gives them; others only document. */
export const FORMATS: Readonly<Record<string, Format>> = {
  "k8s-short-name": {
    test: isDnsLabel,
    mustBe: 'a DNS label: at most 63 of "a-z", "0-9" and "-", with a letter or digit at both ends',
  },
  "k8s-long-name": {
    test: isDnsSubdomain,
    mustBe:
      'a DNS name: at most 253 of "a-z", "0-9", "-" and ".", with a letter or digit at both ends of each part',
  },
  "k8s-label-key": {
    test: isLabelKey,
    mustBe: 'a label key like "app" or "example.com/app", with at most 63 characters after the "/"',
  },
  "k8s-label-value": {
    test: isLabelValue,
    mustBe:
      'a label value: at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  },
  duration: {
    test: (text) => Math.abs(parseDurationMs(text) ?? Number.NaN) <= DURATION_MS_MAX,
    mustBe: 'a duration like "1.5s" or "250ms"',
  },
  "positive-duration": {
    test: (text) => {
      const ms = parseDurationMs(text) ?? 0;
      return Number.isInteger(ms) && ms >= 1 && ms <= DURATION_MS_MAX;
    },
    mustBe: 'a duration of at least 1ms and whole milliseconds, like "1.5s" or "250ms"',
  },
  "date-time": {
    test: (text) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text)),
    mustBe: 'a time like "2026-11-21T10:00:00Z"',
  },
  ipv4: { test: isIPv4, mustBe: 'an IPv4 address like "10.0.0.1"' },
  ipv6: { test: isIPv6, mustBe: 'an IPv6 address like "fd00::1"' },
  ip: { test: (text) => isIPv4(text) || isIPv6(text), mustBe: "an IPv4 or IPv6 address" },
  byte: {
    test: (text) =>
      /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
        text.replace(/[\r\n]/g, ""),
      ),
    mustBe: "base64",
  },
  uuid: {
    test: (text) => /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text),
    mustBe: "a UUID",
  },
};
