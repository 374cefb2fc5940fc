import { describe, expect, test } from "vitest";
import { type Finding, Findings, formatFinding } from "./findings.ts";

const finding = (line: number, message: string, severity?: "warning"): Finding => ({
  origin: { file: "a.yaml", line },
  object: "VirtualService/default/reviews",
  issue: { path: "spec.hosts", message, ...(severity && { severity }) },
});

describe("Findings", () => {
  test("`formatFinding()` names file, line, object and path", () => {
    expect(formatFinding(finding(3, "is required"))).toBe(
      "a.yaml:3: VirtualService/default/reviews: spec.hosts: is required",
    );
    expect(formatFinding({ issue: { path: "", message: "broken" } })).toBe("broken");
  });

  test("`replace()` says what is new and what is gone, errors first", () => {
    const findings = new Findings();
    const [warning, error] = [finding(1, "soft", "warning"), finding(2, "hard")];
    expect(findings.replace([warning, error])).toEqual({
      appeared: [error, warning],
      resolved: [],
      all: [error, warning],
    });
    const moved = finding(7, "hard");
    expect(findings.replace([moved])).toEqual({
      appeared: [],
      resolved: [warning],
      all: [moved],
    });
    expect(findings.list()).toEqual([moved]);
  });
});
