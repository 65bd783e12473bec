import { expect, test } from "vitest";
import { NEW, type PlanBody, withPlan } from "./catalogue";

const plan = (name: string, monthlyPriceCents: number | null) => ({ ...NEW, name, monthlyPriceCents });

test("the catalogue stays the cheapest first, and those without a price are last", () => {
  const plans = [plan("free", 0), plan("big", null)];
  expect(withPlan(plans, "", plan("middle", 900) as unknown as PlanBody).map(({ name }) => name)).toEqual(["free", "middle", "big"]);
});

test("a changed plan takes the place of itself, and a removed one leaves none", () => {
  const plans = [plan("free", 0), plan("big", null)];
  expect(withPlan(plans, "free", plan("free", 100) as unknown as PlanBody).map(({ monthlyPriceCents }) => monthlyPriceCents)).toEqual([100, null]);
  expect(withPlan(plans, "big", null).map(({ name }) => name)).toEqual(["free"]);
});
