import type { Schemas } from "@/lib/api";

type Rule = Schemas["RuleAnswer"];
export type Draft = Required<Schemas["RuleCreate"]>;

const BLANK: Draft = {
  name: "",
  description: null,
  eventTypes: [],
  clock: null,
  condition: null,
  targetRoles: ["owner"],
  targetUsers: [],
  targetPayloadUser: false,
  targetDestinations: [],
  channels: ["realtime"],
  channelOrder: null,
  priority: "normal",
  sound: null,
  topic: null,
  requireAck: false,
  repeat: null,
  escalation: null,
  escalationLoops: 1,
  activeTimes: null,
  throttle: null,
  digest: null,
  title: "",
  message: "",
  action: null,
  translations: null,
  template: null,
  active: true,
};

/** What the form edits: all that a rule says. */
export function draftOf(rule: Rule | null, type?: string | null): Draft {
  if (!rule) return { ...BLANK, eventTypes: type ? [type] : [] };
  return Object.fromEntries(Object.keys(BLANK).map((name) => [name, rule[name as keyof Rule] ?? null])) as unknown as Draft;
}

/** What somebody changed, and nothing beside: so saving leaves alone what others changed, or what is newer than this page. */
export function changesOf(before: Draft, after: Draft): Partial<Draft> {
  const names = Object.keys(after) as (keyof Draft)[];
  return Object.fromEntries(names.filter((name) => said(before[name]) !== said(after[name])).map((name) => [name, after[name]]));
}

const said = (value: unknown): string => JSON.stringify(value ?? null);

/** What decides whom a rule tells and in which words, as far as it is filled in; a trial and a replay look at no more. */
export function judged(draft: Draft, fallback: string): Schemas["RuleCreate"] {
  return {
    name: draft.name || fallback,
    title: draft.title || " ",
    eventTypes: draft.eventTypes.length || draft.clock ? draft.eventTypes : ["*"],
    condition: draft.condition?.trim() || null,
    clock: draft.clock,
    targetRoles: draft.targetRoles,
    targetUsers: draft.targetUsers,
    targetPayloadUser: draft.targetPayloadUser,
    targetDestinations: draft.targetDestinations,
    channels: draft.channels,
    priority: draft.priority,
    message: draft.message,
    action: draft.action,
    translations: draft.translations,
    template: draft.template,
  };
}

/** The same for a replay, which looks at the ways by which it is told, and at what follows, as well. */
export function replayed(draft: Draft, fallback: string): Schemas["RuleCreate"] {
  const { channelOrder, sound, topic, activeTimes, digest, throttle, requireAck, repeat, escalation, escalationLoops } = draft;
  return { ...judged(draft, fallback), channelOrder, sound, topic, activeTimes, digest, throttle, requireAck, repeat, escalation, escalationLoops };
}

/** Every path into a payload that a condition can name. */
export function fieldsOf(payload: unknown, prefix = "payload", depth = 3): string[] {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload) || depth === 0) return [];
  return Object.entries(payload)
    .filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    .flatMap(([name, value]) => {
      const path = `${prefix}.${name}`;
      const inner = fieldsOf(value, path, depth - 1);
      return inner.length ? inner : [path];
    });
}
