import { expect, test } from "vitest";
import { nameOf, size } from "./file";

test.each([
  ["Oven alarm (2).wav", "oven_alarm_2"],
  ["01 - Ping.mp3", "ping"],
  ["Glöckchen.ogg", "glockchen"],
  ["12345.wav", ""],
  [`${"a".repeat(80)}.wav`, "a".repeat(63)],
])("%s is called %s", (file, name) => {
  expect(nameOf(file)).toBe(name);
});

test("sizes are said in what people count in", () => {
  expect([size(900), size(2048), size(5.5 * 1024 * 1024)]).toEqual(["1 kB", "2 kB", "5.5 MB"]);
});
