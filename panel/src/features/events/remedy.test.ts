import { expect, test } from "vitest";
import { remedyOf } from "./remedy";

test.each([
  ["held", "quiet hours until 07:00 Europe/Vienna", "/users/u#preferences"],
  ["held", "active times from 08:00 Europe/Vienna", "/rules/r"],
  ["switched_off", "preferences: the topic orders is muted", "/users/u#preferences"],
  ["not_subscribed", "preferences: not subscribed to the topic news", "/users/u#preferences"],
  ["throttled", null, "/rules/r"],
  ["no_address", null, "/users/u"],
  ["no_connection", null, "/connections"],
  ["over_quota", null, "/usage"],
])("%s, because of %s, leads to %s", (code, detail, to) => {
  expect(remedyOf({ code, detail }, "r", "u")?.to).toBe(to);
});

test("what arrived leads nowhere, nor does a code of a later release", () => {
  expect(remedyOf({ code: "sent", detail: null }, "r", "u")).toBeNull();
  expect(remedyOf({ code: "of_tomorrow", detail: null }, "r", "u")).toBeNull();
});
