import { expect, test } from "vitest";
import { hoursOf, lastDays, lastMonths } from "./days";

const NOW = Date.parse("2026-03-01T22:30:00Z");

test("the last days end today and go over the end of a month", () => {
  expect(lastDays(3, NOW)).toEqual(["2026-02-27", "2026-02-28", "2026-03-01"]);
});

test("the hours reach back to the beginning of the first day, and never further than the API looks", () => {
  expect(NOW - hoursOf(3, NOW) * 3_600_000).toBeLessThanOrEqual(Date.parse("2026-02-27T00:00:00Z"));
  expect(hoursOf(31, Date.parse("2026-03-01T23:59:00Z"))).toBeLessThanOrEqual(744);
});

test("the last months begin on their first days, over the end of a year", () => {
  expect(lastMonths(4, NOW)).toEqual(["2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01"]);
});
