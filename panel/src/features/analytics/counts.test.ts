import { expect, test } from "vitest";
import { duration, outcome, share } from "./counts";

test("every state counts once, one that is new too", () => {
  expect(outcome({ sent: 2, delivered: 1, failed: 3, queued: 4, suppressed: 5, never_heard_of: 6 })).toEqual({ reached: 3, failed: 3, waiting: 4, left: 11 });
});

test("a duration is told in the unit that fits", () => {
  expect([0, 59, 90, 3_600, 200_000].map(duration)).toEqual(["0 s", "59 s", "1.5 min", "1 h", "2.3 d"]);
});

test("a share of nothing is none", () => {
  expect([share(1, 4), share(0, 0)]).toEqual(["25%", "–"]);
});
