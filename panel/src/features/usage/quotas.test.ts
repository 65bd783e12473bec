import { expect, test } from "vitest";
import { standing } from "./quotas";

const quota = (limit: number | null, percent: number | null) => ({ quota: "rules", used: 0, limit, overage: 0, percent, resetsAt: null });

test("a quota is free, low from 80 percent on, spent at 100, and absent where the plan has none of it", () => {
  expect([quota(null, null), quota(5, 79), quota(5, 80), quota(5, 100), quota(0, 100)].map(standing)).toEqual(["free", "free", "low", "spent", "absent"]);
});
