import { VARIANTS } from "./discovery-wire.ts";
import type { ControlPlaneCase } from "./measure-case.ts";
import type { ServiceForm } from "./mesh-objects.ts";

/** A case, how often it is run on a fresh control plane, and how often each kind is written then. */
export interface PlannedCase {
  readonly one: ControlPlaneCase;
  readonly rounds: number;
  readonly writes: number;
}

/** The size that the budget is about, in both variants. */
export function referenceCases(form: ServiceForm): readonly ControlPlaneCase[] {
  return VARIANTS.map((variant) => ({ services: 500, clients: 100, variant, form }));
}

/** What is run when nobody says what: the reference, and how it grows with the services. */
export function defaultPlan(form: ServiceForm, isQuick: boolean): readonly PlannedCase[] {
  const [rounds, writes] = isQuick ? [1, 2] : [3, 3];
  const reference = referenceCases(form).map((one) => ({ one, rounds, writes }));
  if (isQuick) return reference;
  const series = [100, 2000].map((services): PlannedCase => {
    return { one: { services, clients: 100, variant: "delta", form }, rounds: 1, writes: 3 };
  });
  return [...reference, ...series];
}

/** Every size with every other, once. */
export function wholePlan(form: ServiceForm): readonly PlannedCase[] {
  return [100, 500, 2000].flatMap((services) =>
    [10, 100, 500].flatMap((clients) =>
      VARIANTS.map((variant) => ({
        one: { services, clients, variant, form },
        rounds: 1,
        writes: 3,
      })),
    ),
  );
}
