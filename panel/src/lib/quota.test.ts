import { expect, test } from "vitest";
import { amount, quotaName } from "./quota";

test("bytes are told in the unit that fits, anything else as it is", () => {
  expect([amount("storageBytes", 0), amount("storageBytes", 52_000_000), amount("events", 1_200)]).toEqual(["0 kB", "52 MB", "1,200"]);
});

test("a quota that is newer than the panel has a name", () => {
  expect(quotaName("moons")).toBe("moons");
});
