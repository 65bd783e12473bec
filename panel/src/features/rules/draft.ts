import type { Schemas } from "@/lib/api";

export type Draft = Schemas["RuleCreate"] & { eventTypes: string[] };
type Rule = Schemas["RuleAnswer"];

/** What the form edits. What it does not show is not in it, so that saving leaves it as it is. */
export function draftOf(rule: Rule | null, type?: string | null): Draft {
  if (!rule) {
    return {
      name: "",
      eventTypes: type ? [type] : [],
      condition: null,
      targetRoles: ["owner"],
      channels: ["realtime"],
      title: "",
      message: "",
      priority: "normal",
      requireAck: false,
      active: true,
    };
  }
  return {
    name: rule.name,
    description: rule.description,
    eventTypes: rule.eventTypes,
    condition: rule.condition,
    targetRoles: rule.targetRoles,
    channels: rule.channels as Draft["channels"],
    title: rule.title,
    message: rule.message,
    priority: rule.priority,
    requireAck: rule.requireAck,
    repeat: rule.repeat,
    active: rule.active,
  };
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
