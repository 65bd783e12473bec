import { expect, test } from "vitest";
import { merged, only, reaches, switched, wished } from "./merged";

const NOTHING = { muted: false, subscribed: false, channels: null, ignoreQuietHours: false };

test("maps change entry by entry, null takes one away, and the rest stays", () => {
  const before = { channels: { sms: false, email: true }, topics: { orders: { ...NOTHING, muted: true } }, quietHours: null };
  const after = merged(before, { channels: { sms: true }, topics: { orders: null } });
  expect(after).toEqual({ channels: { sms: true, email: true }, topics: {}, fallback: {}, quietHours: null });
});

test("quiet hours are replaced whole", () => {
  const hours = { from: "22:00", to: "07:00" };
  expect(merged({}, { quietHours: hours }).quietHours).toEqual(hours);
  expect(merged({ quietHours: hours }, { quietHours: null }).quietHours).toBeNull();
});

test("a wish that says nothing is none", () => {
  expect(wished(NOTHING)).toBeNull();
  expect(wished({ ...NOTHING, channels: ["email"] })).toEqual({ ...NOTHING, channels: ["email"] });
});

test("every way there is is no restriction", () => {
  expect(only(["email", "realtime"], ["realtime", "email"])).toBeNull();
  expect(only(["email"], ["realtime", "email"])).toEqual(["email"]);
});

test("a topic is on unless it is muted, and one for subscribers once somebody subscribed", () => {
  expect([reaches(NOTHING, false), reaches(NOTHING, true)]).toEqual([true, false]);
  for (const optIn of [false, true]) {
    for (const on of [false, true]) expect(reaches(switched(NOTHING, optIn, on), optIn)).toBe(on);
  }
  expect(reaches({ ...NOTHING, subscribed: true, muted: true }, true)).toBe(false);
  expect(wished(switched(NOTHING, true, true))).toEqual({ ...NOTHING, subscribed: true });
});
