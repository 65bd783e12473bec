import { expect, test } from "vitest";
import { ago } from "../src/when.js";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test.each([
  ["2026-03-01T11:59:40Z", "now"],
  ["2026-03-01T11:57:00Z", "3 min. ago"],
  ["2026-03-01T09:00:00Z", "3 hr. ago"],
  ["2026-02-28T12:00:00Z", "yesterday"],
  ["2025-01-01T12:00:00Z", "last yr."],
])("%s is %s", (time, said) => expect(ago(time, "en", NOW)).toBe(said));

test("it speaks the language that it is asked for", () => expect(ago("2026-02-28T12:00:00Z", "de", NOW)).toBe("gestern"));
