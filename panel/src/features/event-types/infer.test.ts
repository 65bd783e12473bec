import { expect, test } from "vitest";
import { schemaOf } from "./infer";

test("what every payload has is required, what some have is known", () => {
  expect(schemaOf([{ orderId: "A-1", amount: 2 }, { orderId: "A-2", amount: 2.5, note: null }])).toEqual({
    type: "object",
    required: ["orderId", "amount"],
    properties: { orderId: { type: "string" }, amount: { type: "number" }, note: { type: "null" } },
  });
});

test("a field of several kinds has them all, and lists are looked into", () => {
  expect(schemaOf([{ lines: [{ sku: 1 }, { sku: "x", gift: true }] }, { lines: [] }]).properties!.lines).toEqual({
    type: "array",
    items: { type: "object", required: ["sku"], properties: { sku: { type: ["number", "string"] }, gift: { type: "boolean" } } },
  });
});

test("a name that every object inherits is still only there where it was sent", () => {
  expect(schemaOf([{ a: 1 }, { a: 1, toString: "x" }]).required).toEqual(["a"]);
});

test("an empty payload is an object of which nothing is known", () => {
  expect(schemaOf([{}])).toEqual({ type: "object", properties: {} });
});
