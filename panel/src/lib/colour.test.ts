import { expect, test } from "vitest";
import { contrast, READABLE, readable, shades } from "./colour";

const STEPS = ["00", "33", "66", "99", "cc", "ff"];
const COLOURS = STEPS.flatMap((r) => STEPS.flatMap((g) => STEPS.map((b) => `#${r}${g}${b}`)));

test.each(["#ffffff", "#f8f9fb", "#15171c"])("every colour has a readable shade on %s", (ground) => {
  for (const colour of COLOURS) expect(contrast(readable(colour, ground), ground)).toBeGreaterThanOrEqual(READABLE);
});

test("a colour that can be read stays as it is", () => {
  expect(readable("#1a3a8f", "#ffffff")).toBe("#1a3a8f");
});

test("shades run from light to dark", () => {
  const light = shades("#ffd400").map((shade) => contrast(shade, "#000000"));
  expect([...light].sort((a, b) => b - a)).toEqual(light);
});
