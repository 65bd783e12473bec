import { expect, test } from "vitest";
import { pretty } from "./pretty";

const SCHEMA = {
  type: "object",
  required: ["orderId", "amount"],
  properties: { orderId: { type: "string" }, amount: { type: "number", minimum: 0 } },
};

test("what is short stays on one line, what is long is broken", () => {
  expect(pretty(SCHEMA)).toBe(`{
  "type": "object",
  "required": ["orderId", "amount"],
  "properties": {
    "orderId": {"type": "string"},
    "amount": {"type": "number", "minimum": 0}
  }
}`);
});

test.each([[SCHEMA], [[]], [{}], [null], ['a "quoted" text'], [{ deep: [{ list: Array(40).fill("many words") }] }]])("nothing is lost: %j", (value) => {
  expect(JSON.parse(pretty(value))).toEqual(value);
});
