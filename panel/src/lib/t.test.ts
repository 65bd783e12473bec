import { afterEach, expect, test } from "vitest";
import { speak, t, tn } from "./t";

afterEach(() => speak({}));

test("values are filled in, and what has none stays", () => {
  expect(t("Sent to {who} by {how}", { who: "Ada" })).toBe("Sent to Ada by {how}");
});

test("another language says it in its own order", () => {
  speak({ "{n} events": "Ereignisse: {n}" });
  expect(tn(3, "1 event", "{n} events")).toBe("Ereignisse: 3");
});
