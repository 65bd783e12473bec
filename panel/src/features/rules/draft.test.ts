import { expect, test } from "vitest";
import type { Schemas } from "@/lib/api";
import { changesOf, draftOf, judged } from "./draft";

const RULE = {
  id: "r",
  name: "Server down",
  eventTypes: ["server.down"],
  targetRoles: ["on-call"],
  targetUsers: ["u"],
  channels: ["push", "sms"],
  channelOrder: { afterSeconds: 60 },
  title: "{{ payload.host }} is down",
  message: "",
  requireAck: true,
  escalation: [{ afterSeconds: 600, roles: ["lead"], users: [] }],
  escalationLoops: 2,
  translations: { de: { title: "{{ payload.host }} ist weg", message: null, action: { url: "https://x.example", label: null } } },
  active: true,
  version: 3,
} as unknown as Schemas["RuleAnswer"];

test("a rule that nobody touched has no changes", () => {
  expect(changesOf(draftOf(RULE), structuredClone(draftOf(RULE)))).toEqual({});
});

test("what was touched is sent, and nothing beside", () => {
  const draft = draftOf(RULE);
  expect(changesOf(draft, { ...draft, name: "Host down", repeat: { everySeconds: 60, maxTimes: 3 } })).toEqual({
    name: "Host down",
    repeat: { everySeconds: 60, maxTimes: 3 },
  });
});

test("an unfinished rule can be tried: what is missing does not matter to it", () => {
  const sent = judged({ ...draftOf(null), escalation: [{ afterSeconds: 60 }] }, "Draft");
  expect([sent.name, sent.title, sent.eventTypes, sent.escalation]).toEqual(["Draft", " ", ["*"], undefined]);
});
