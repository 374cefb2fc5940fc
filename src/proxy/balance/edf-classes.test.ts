import fc from "fast-check";
import { expect, test } from "vitest";
import { EdfSchedule } from "./edf.ts";
import { fixedSchedule } from "./edf-classes.ts";

/** Many of one weight, or hardly any two. */
const weightLists = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 60 }),
  fc.array(fc.integer({ min: 1, max: 4_294_967_295 }), { minLength: 1, maxLength: 60 }),
);

test("fixedSchedule() chooses in the order of an EdfSchedule", () => {
  fc.assert(
    fc.property(weightLists, (list) => {
      const weights = Float64Array.from(list);
      const schedule = new EdfSchedule(weights.length, (at) => weights[at] ?? 1);
      const next = fixedSchedule(weights);
      for (let pick = 0; pick < 500; pick++) expect(next()).toBe(schedule.pick());
    }),
  );
});
