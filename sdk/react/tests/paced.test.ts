import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { paced } from "../src/paced.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a burst is spread, in order, and nothing of it is lost", () => {
  const done: number[] = [];
  const queue = paced<number>(2, 1_000, (one) => done.push(one));
  for (let n = 0; n < 5; n++) queue.add(n);
  expect(done).toEqual([0, 1]);
  vi.advanceTimersByTime(1_000);
  expect(done).toEqual([0, 1, 2, 3]);
  vi.advanceTimersByTime(1_000);
  expect(done).toEqual([0, 1, 2, 3, 4]);
});

test("what was dropped does not come, and what comes later does", () => {
  const done: number[] = [];
  const queue = paced<number>(1, 1_000, (one) => done.push(one));
  [1, 2, 3].forEach(queue.add);
  queue.drop();
  vi.advanceTimersByTime(5_000);
  queue.add(4);
  expect(done).toEqual([1, 4]);
});
