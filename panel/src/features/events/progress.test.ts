import { expect, test } from "vitest";
import type { Schemas } from "@/lib/api";
import { isUnderWay } from "./progress";

type Story = Schemas["EventStory"];
const NOW = Date.parse("2026-01-01T12:00:00Z");

function story(state: string, dueAt: string | null): Story {
  return { status: "processed", trace: [{ deliveries: [{ state, dueAt }] }] } as Story;
}

test("a delivery that is due soon is under way", () => {
  expect(isUnderWay(story("queued", "2026-01-01T12:00:05Z"), NOW)).toBe(true);
});

test("a retry in ten minutes is not looked at every second", () => {
  expect(isUnderWay(story("queued", "2026-01-01T12:10:00Z"), NOW)).toBe(false);
});

test("what was sent is over", () => {
  expect(isUnderWay(story("sent", null), NOW)).toBe(false);
});
