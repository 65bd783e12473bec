import { expect, test } from "vitest";
import { draftOf } from "./draft";
import { hoursLine, insistLine, waysOf, wordsLine } from "./summary";

const BLANK = draftOf(null);

test("what a rule says without more", () => {
  expect([insistLine(BLANK), hoursLine(BLANK), wordsLine(BLANK)]).toEqual([
    "Told once; nobody has to acknowledge.",
    "At any time, each one at once.",
    "No link, one language.",
  ]);
});

test("insistence in a line", () => {
  const insisting = { ...BLANK, requireAck: true, repeat: { everySeconds: 120, maxTimes: 10 }, escalation: [{ afterSeconds: 600, roles: ["lead"] }] };
  expect(insistLine(insisting)).toBe("Somebody has to acknowledge · every 2 minutes, 10 times at most · 1 step to others");
});

test("hours and limits in a line", () => {
  const limited = {
    ...BLANK,
    activeTimes: { from: "08:00", to: "18:00", days: ["tue", "mon"] as ("mon" | "tue")[] },
    throttle: { max: 3, perSeconds: 3600 },
    digest: { windowSeconds: 90, maxItems: 100, leading: false },
  };
  expect(hoursLine(limited)).toBe("08:00–18:00, Mon Tue · 3 in 1 hour for each person · gathered for 90 seconds");
});

test("further words in a line", () => {
  expect(wordsLine({ ...BLANK, action: { url: "https://x.example" }, translations: { de: {}, it: {} }, template: "order-placed" })).toBe(
    "With a link · also in de, it · words of the template order-placed",
  );
});

test("only those ways are told that are different", () => {
  const insists = { requireAck: true, repeat: { everySeconds: 60, maxTimes: 3 }, escalation: null, escalationLoops: 1 };
  const windows = { digest: { windowSeconds: 90, maxItems: 100, leading: false }, throttle: null };
  const how = { channels: ["push", "email"], afterSeconds: 60, destinations: [], priority: "high" as const, sound: null, ...insists, ...windows };
  expect(waysOf(how, ["recipients", "priority"])).toEqual([["Priority", "high"]]);
  expect(waysOf(how, ["channels", "destinations", "sound"])).toEqual([
    ["Channels", "push, email · one after the other, 1 minute apart"],
    ["Places", "none"],
    ["Sound", "none"],
  ]);
  expect(waysOf(how, ["insistence", "digest", "throttle"])).toEqual([
    ["Insists", "Somebody has to acknowledge · every 1 minute, 3 times at most"],
    ["Digest", "gathered for 90 seconds"],
    ["Limit", "none"],
  ]);
});
