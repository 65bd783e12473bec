import { expect, test } from "vitest";
import { read, shownValue, typedValue, write, type Group } from "./condition";

test.each([
  "payload.amount > 1000",
  'payload.country == "DE" && payload.amount >= 12.5',
  '(payload.a == 1 || payload.b == 2) && has(payload.c)',
  '!has(payload.voucher) && user.locale != "de"',
  'payload.tier in ["gold", "silver"]',
  'payload.email.endsWith("@acme.com") || payload.note.contains("x \\" || true //")',
  'event.source == "C:\\\\temp"',
  "payload.delta < -3",
  "payload.open == true",
])("what the form shows is written again as it was: %s", (cel) => {
  const tree = read(cel);
  expect(tree).not.toBeNull();
  expect(write(tree!)).toBe(cel);
});

test.each([
  "payload.a == 1 && size(payload.x) > 3",
  'payload.a == 1 && payload.b == 2 || payload.c == 3',
  'payload.name.matches("^a")',
  "payload.items.exists(i, i.price > 5)",
  "payload.a + 1 > 2",
  "payload.a ? true : false",
  "'single' == payload.a",
  "payload.a == null",
  "!(payload.a == 1)",
  "payload.a ==",
  "payload.a == 1 )",
  'payload["odd key"] == 1',
  "payload.big == 1e5",
  "payload.a == 1u",
])("what the form cannot show stays code: %s", (cel) => {
  expect(read(cel)).toBeNull();
});

test("spaces and lines do not matter", () => {
  expect(write(read("payload.a==1\n  &&payload.b==2")!)).toBe("payload.a == 1 && payload.b == 2");
});

test("an empty condition is an empty form", () => {
  expect(read("  ")?.items).toEqual([]);
  expect(write({ kind: "group", joined: "any", items: [] })).toBe("");
});

test("empty groups are left out, and hostile texts stay texts", () => {
  const tree: Group = {
    kind: "group",
    joined: "all",
    items: [
      { kind: "group", joined: "any", items: [] },
      { kind: "test", field: "payload.x", operator: "==", value: '\\" || true //' },
    ],
  };
  expect(write(tree)).toBe('payload.x == "\\\\\\" || true //"');
  expect(write(read(write(tree))!)).toBe(write(tree));
});

test.each([["12", 12], ["true", true], ['"12"', "12"], ["Berlin", "Berlin"], ["-1.5", -1.5], ["", ""]] as const)(
  "typed %s is the value it looks like, and is shown as it was typed",
  (text, value) => {
    expect(typedValue(text)).toBe(value);
    expect(shownValue(value)).toBe(text);
  },
);
