import {
  type RuntimeFeatureFlag,
  RuntimeFeatureFlagSchema,
  type RuntimeFractionalPercent,
  RuntimeFractionalPercentSchema,
} from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { FractionalPercent } from "../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../base/issue.ts";
import { type Fraction, fractionOf } from "./fraction.ts";
import { refuseFields } from "./refuse-fields.ts";

/** Values that may change how configuration is read, by key (Envoy's runtime). */
export interface RuntimeReader {
  /** A whole number that is not negative; `undefined` when the key has none. */
  integer(key: string): number | undefined;
  /** Any number; `undefined` when the key has none. */
  double(key: string): number | undefined;
  /** A share, 0 to 1; a plain number counts as per cent. `undefined` when the key has none. */
  share(key: string): number | undefined;
  /** A number counts too: all but 0 are true. `undefined` when the key has neither. */
  flag(key: string): boolean | undefined;
}

/** A runtime in which no key has a value. */
export const NO_RUNTIME: RuntimeReader = {
  integer: () => undefined,
  double: () => undefined,
  share: () => undefined,
  flag: () => undefined,
};

/** How many of all requests something concerns. */
export interface RuntimeShare {
  /** "" when no key may change it. */
  readonly runtimeKey: string;
  /** 0 to 1. */
  readonly defaultShare: number;
}

/** A fraction as a share, 0 to 1. */
export function shareOf(message: FractionalPercent): number {
  const { numerator, denominator } = fractionOf(message);
  return Math.min(1, numerator / denominator);
}

/** The fraction that holds now: a runtime key may have another one, or a number of per cent. */
export function currentFraction(
  key: string,
  configured: Fraction,
  runtime: RuntimeReader,
): Fraction {
  const percent = runtime.integer(key);
  if (percent !== undefined) return { numerator: percent, denominator: 100 };
  const share = runtime.share(key);
  return share === undefined ? configured : { numerator: share * 10_000, denominator: 10_000 };
}

/** Decodes a fraction that a runtime key may change. */
export function decodeRuntimeShare(
  message: RuntimeFractionalPercent,
  path: string,
  issues: Issue[],
): RuntimeShare {
  const fields = ["default_value", "runtime_key"];
  issues.push(...refuseFields(RuntimeFractionalPercentSchema, message, fields, path));
  const { defaultValue, runtimeKey } = message;
  return { runtimeKey, defaultShare: defaultValue === undefined ? 0 : shareOf(defaultValue) };
}

/** The share that holds now. */
export function currentShare(share: RuntimeShare, runtime: RuntimeReader): number {
  if (share.runtimeKey === "") return share.defaultShare;
  return runtime.share(share.runtimeKey) ?? share.defaultShare;
}

/** Something that is on or off. */
export interface RuntimeFlag {
  /** "" when no key may change it. */
  readonly runtimeKey: string;
  readonly defaultValue: boolean;
}

/** Decodes a flag that a runtime key may change. */
export function decodeRuntimeFlag(
  message: RuntimeFeatureFlag,
  path: string,
  issues: Issue[],
): RuntimeFlag {
  const fields = ["default_value", "runtime_key"];
  issues.push(...refuseFields(RuntimeFeatureFlagSchema, message, fields, path));
  return { runtimeKey: message.runtimeKey, defaultValue: message.defaultValue ?? false };
}

/** Whether it is on now. */
export function isOn(flag: RuntimeFlag, runtime: RuntimeReader): boolean {
  if (flag.runtimeKey === "") return flag.defaultValue;
  return runtime.flag(flag.runtimeKey) ?? flag.defaultValue;
}
