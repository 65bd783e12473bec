import { expect, test } from "vitest";
import type { Schemas } from "@/lib/api";
import { share, together } from "./replay";

const COUNTS = { events: 2, matchedThen: 1, matchedNow: 2, newlyMatching: 1, noLongerMatching: 0, recipientsChanged: 0, textsChanged: 1, channelsChanged: 2, destinationsChanged: 0, priorityChanged: 0, soundChanged: 0, insistenceChanged: 0, digestChanged: 0, throttleChanged: 0, gatheredThen: 0, gatheredNow: 3, throttledThen: 0, throttledNow: 0, toldAgainThen: 0, toldAgainNow: 0, errors: 0 };

function answer(examples: number, lastEventAt: string | null): Schemas["ReplayAnswer"] {
  const one = { eventId: "e" } as Schemas["ReplayExample"];
  return { counts: COUNTS, examples: Array.from({ length: examples }, () => one), scanned: 9, lastEventAt, nextCursor: null };
}

test("answers add up, and the first hundred examples are kept", () => {
  const first = together({ counts: COUNTS, examples: [], lastEventAt: null }, answer(80, "2026-01-01T12:00:00Z"));
  const both = together(first, answer(80, null));
  expect([both.counts.events, both.counts.newlyMatching, both.counts.gatheredNow, both.examples.length, both.lastEventAt]).toEqual([6, 3, 9, 100, "2026-01-01T12:00:00Z"]);
});

test("progress is by the time of the events, and whole only at the end", () => {
  const wanted = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", rule: null };
  const found = { counts: COUNTS, examples: [], lastEventAt: "2026-01-01T06:00:00Z" };
  expect(share({ status: "running", wanted, found })).toBe(25);
  expect(share({ status: "running", wanted, found: { ...found, lastEventAt: wanted.to } })).toBe(99);
  expect(share({ status: "done", wanted, found })).toBe(100);
});
