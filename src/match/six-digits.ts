/** A number as C's `%g` prints it. */
export function sixDigits(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa = "", exponent] = value.toPrecision(6).split("e");
  const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  if (exponent !== undefined) return `${digits}e${exponent.replace(/^([-+])(\d)$/, "$10$2")}`;
  // JavaScript writes small numbers in full to 1e-7, C to 1e-5.
  if (value !== 0 && Math.abs(value) < 1e-4) {
    const [small = "", power = ""] = value.toExponential(5).split("e");
    return `${small.replace(/\.?0+$/, "")}e${power.replace(/^([-+])(\d)$/, "$10$2")}`;
  }
  return digits;
}
