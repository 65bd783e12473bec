import { expect, test } from "vitest";
import { bytes, counted, limit, percent, seconds } from "./words";

test("limits say what they are, and what has none says so", () => {
  expect([limit("events", 1000), limit("events", null), limit("storageBytes", 50_000_000)]).toEqual([(1000).toLocaleString(), "unlimited", "50 MB"]);
});

test("figures are rounded as people say them, and never up to a whole that it is not", () => {
  expect([percent(null), percent(0.5), percent(1), percent(0.9996)]).toEqual(["–", "50 %", "100 %", "99.96 %"]);
  expect([seconds(null), seconds(0.25), seconds(1.25)]).toEqual(["–", "250 ms", "1.3 s"]);
  expect([bytes(999), bytes(1_500_000_000)]).toEqual(["999 B", "1.5 GB"]);
});

test("a count that met its bound is no exact one", () => {
  expect(counted(10_000, 10_000)).toContain("or more");
  expect(counted(12, 10_000)).toBe("12");
});
