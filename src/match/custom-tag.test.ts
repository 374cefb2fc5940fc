import { expect, test } from "vitest";
import { sixDigits } from "./six-digits.ts";

test.each([
  [0, "0"],
  [5, "5"],
  [1.5, "1.5"],
  [100_000, "100000"],
  [999_999.6, "1e+06"],
  [12_345_678, "1.23457e+07"],
  [-0.5, "-0.5"],
  [0.0001, "0.0001"],
  [0.00001234, "1.234e-05"],
  [1e100, "1e+100"],
  [1 / 3, "0.333333"],
])("sixDigits() prints %d as C does", (value, text) => {
  expect(sixDigits(value)).toBe(text);
});
