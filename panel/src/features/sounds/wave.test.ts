import { expect, test } from "vitest";
import { BARS, bars } from "./wave";

test("the loudest part reaches the top, silence has no height", () => {
  const samples = new Float32Array(BARS * 10);
  samples.fill(0.25, 0, 10);
  samples.fill(-0.5, 10, 20);
  expect(bars(samples).slice(0, 3)).toEqual([0.5, 1, 0]);
});

test("nothing at all, and less than there are bars, is drawn too", () => {
  expect(bars(new Float32Array(0))).toEqual(Array(BARS).fill(0));
  expect(bars(new Float32Array([1])).length).toBe(BARS);
});
