import { expect, test } from "vitest";
import { spoken } from "./duration";

test.each([
  [3600, "1 hour"],
  [86_400, "24 hours"],
  [300, "5 minutes"],
  [90, "90 seconds"],
  [10, "10 seconds"],
])("%s seconds are said in the unit that has no rest: %s", (seconds, words) => {
  expect(spoken(seconds)).toBe(words);
});
