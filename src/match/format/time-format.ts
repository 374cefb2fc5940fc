/**
 * Formats of time as Envoy's START_TIME takes them: strftime(3), the `%E` forms of Abseil, `%s`
 * and `%f`. Compiled once into a list of parts.
 */
export type TimeFormat = (ms: number) => string;

type Part = (date: Parts, ms: number) => string;

/** The fields of a moment in the zone that the format is for. */
interface Parts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** From Sunday, which is 0. */
  readonly weekday: number;
  /** From 0. */
  readonly yearDay: number;
  /** East of Greenwich. */
  readonly offsetMinutes: number;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAY_MS = 86_400_000;

const pad2 = (value: number): string => String(value).padStart(2, "0");
const blank2 = (value: number): string => String(value).padStart(2, " ");
const hour12 = ({ hour }: Parts): number => hour % 12 || 12;
const clock = (at: Parts): string => `${pad2(at.hour)}:${pad2(at.minute)}:${pad2(at.second)}`;
const slashDate = (at: Parts): string =>
  `${pad2(at.month + 1)}/${pad2(at.day)}/${pad2(at.year % 100)}`;
const half = ({ hour }: Parts): string => (hour < 12 ? "AM" : "PM");
const dayName = ({ weekday }: Parts): string => DAYS[weekday] ?? "";
const monthName = ({ month }: Parts): string => MONTHS[month] ?? "";

const PARTS: Readonly<Record<string, Part>> = {
  "%": () => "%",
  a: (at) => dayName(at).substring(0, 3),
  A: dayName,
  b: (at) => monthName(at).substring(0, 3),
  B: monthName,
  c: (at) =>
    `${dayName(at).substring(0, 3)} ${monthName(at).substring(0, 3)} ${blank2(at.day)} ` +
    `${clock(at)} ${at.year}`,
  C: ({ year }) => pad2(Math.floor(year / 100)),
  d: ({ day }) => pad2(day),
  D: slashDate,
  e: ({ day }) => blank2(day),
  F: (at) => `${at.year}-${pad2(at.month + 1)}-${pad2(at.day)}`,
  g: (at) => pad2(isoWeek(at).year % 100),
  G: (at) => String(isoWeek(at).year),
  h: (at) => monthName(at).substring(0, 3),
  H: ({ hour }) => pad2(hour),
  I: (at) => pad2(hour12(at)),
  j: ({ yearDay }) => String(yearDay + 1).padStart(3, "0"),
  k: ({ hour }) => blank2(hour),
  l: (at) => blank2(hour12(at)),
  m: ({ month }) => pad2(month + 1),
  M: ({ minute }) => pad2(minute),
  p: half,
  r: (at) => `${pad2(hour12(at))}:${pad2(at.minute)}:${pad2(at.second)} ${half(at)}`,
  R: (at) => `${pad2(at.hour)}:${pad2(at.minute)}`,
  s: (_at, ms) => String(Math.floor(ms / 1000)),
  S: ({ second }) => pad2(second),
  T: clock,
  t: () => "\t",
  u: ({ weekday }) => String(weekday || 7),
  U: ({ yearDay, weekday }) => pad2(Math.floor((yearDay + 7 - weekday) / 7)),
  V: (at) => pad2(isoWeek(at).week),
  w: ({ weekday }) => String(weekday),
  W: ({ yearDay, weekday }) => pad2(Math.floor((yearDay + 7 - ((weekday + 6) % 7)) / 7)),
  x: slashDate,
  X: clock,
  y: ({ year }) => pad2(year % 100),
  Y: ({ year }) => String(year),
  z: ({ offsetMinutes }) => offset(offsetMinutes, ""),
  Ez: ({ offsetMinutes }) => offset(offsetMinutes, ":"),
  ":z": ({ offsetMinutes }) => offset(offsetMinutes, ":"),
  "E*z": ({ offsetMinutes }) => `${offset(offsetMinutes, ":")}:00`,
  "::z": ({ offsetMinutes }) => `${offset(offsetMinutes, ":")}:00`,
  Z: ({ offsetMinutes }) => (offsetMinutes === 0 ? "UTC" : offset(offsetMinutes, "")),
  E4Y: ({ year }) => String(year).padStart(4, "0"),
  "E*S": (at, ms) => {
    const fraction = nanos(ms).replace(/0+$/, "");
    return pad2(at.second) + (fraction === "" ? "" : `.${fraction}`);
  },
  "E*f": (_at, ms) => nanos(ms).replace(/0+$/, "") || "0",
  f: (_at, ms) => nanos(ms),
};

/** Nine digits after the point. */
function nanos(ms: number): string {
  const wholeMs = Math.floor(ms);
  const rest = Math.floor((ms - wholeMs) * 1e6);
  return String((((wholeMs % 1000) + 1000) % 1000) * 1e6 + rest).padStart(9, "0");
}

function offset(minutes: number, separator: string): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad2(Math.floor(size / 60))}${separator}${pad2(size % 60)}`;
}

/** The week of ISO 8601, and the year that it belongs to. */
function isoWeek({ year, month, day, weekday }: Parts): { year: number; week: number } {
  // The Thursday of a week says which year has it.
  const thursday = new Date(Date.UTC(year, month, day + 4 - (weekday || 7)));
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - first) / DAY_MS / 7) + 1;
  return { year: thursday.getUTCFullYear(), week };
}

const SPECIFIER = /%(E\*[Szf]|E\d+[Sf]|E4Y|Ez|::z|:z|[1-9]f|[%a-zA-Z])/g;

/** Compiles a format; what is no specifier stands for itself. */
export function compileTimeFormat(format: string, isLocal: boolean): TimeFormat {
  const parts: Part[] = [];
  let at = 0;
  const literal = (text: string): void => {
    if (text !== "") parts.push(() => text);
  };
  for (const match of format.matchAll(SPECIFIER)) {
    const [whole, specifier = ""] = match;
    literal(format.substring(at, match.index));
    at = match.index + whole.length;
    parts.push(PARTS[specifier] ?? withDigits(specifier) ?? (() => whole));
  }
  literal(format.substring(at));
  return (ms) => {
    const date = isLocal ? localParts(ms) : utcParts(ms);
    let text = "";
    for (const part of parts) text += part(date, ms);
    return text;
  };
}

function withDigits(specifier: string): Part | undefined {
  const [, digits, kind] = /^E?(\d+)([Sf])$/.exec(specifier) ?? [];
  if (digits === undefined) return undefined;
  const count = Number(digits);
  const fraction = (ms: number): string => nanos(ms).padEnd(count, "0").substring(0, count);
  if (kind === "f") return (_at, ms) => fraction(ms);
  return (at, ms) => pad2(at.second) + (count === 0 ? "" : `.${fraction(ms)}`);
}

function utcParts(ms: number): Parts {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    yearDay: Math.floor((ms - Date.UTC(year, 0, 1)) / DAY_MS),
    offsetMinutes: 0,
  };
}

function localParts(ms: number): Parts {
  const offsetMinutes = -new Date(ms).getTimezoneOffset();
  return { ...utcParts(ms + offsetMinutes * 60_000), offsetMinutes };
}

/** `2026-11-21T15:01:46.646Z`; what one second has in common is kept for the next time. */
export function createDefaultTime(): TimeFormat {
  let second = Number.NaN;
  let start = "";
  return (ms) => {
    const now = Math.floor(ms / 1000);
    if (now !== second) {
      second = now;
      start = new Date(now * 1000).toISOString().substring(0, 20);
    }
    return `${start}${String(Math.floor(ms) - now * 1000).padStart(3, "0")}Z`;
  };
}
