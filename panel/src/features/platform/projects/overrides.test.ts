import { expect, test } from "vitest";
import { draftOf, overridesOf } from "./overrides";

test("what a project has of its own comes through the form as it was", () => {
  const own = { quotas: { events: 0, rules: null }, features: { customDomain: true, inbox: false }, overage: false };
  expect(overridesOf(draftOf(own))).toEqual(own);
});

test("a project that has nothing of its own is as its plan says", () => {
  expect(overridesOf(draftOf(null))).toBeNull();
  expect(overridesOf(draftOf({ quotas: {}, features: {}, overage: null }))).toBeNull();
});
