import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

export type Stats = Schemas["Stats"];
type Day = Stats["days"][number];
export type States = Record<string, number>;

/** States of deliveries, as far as a reader of figures tells them apart. */
const REACHED = ["sent", "delivered", "read", "captured"];
const WAITING = ["queued", "held", "gathered"];

export interface Outcome {
  reached: number;
  failed: number;
  waiting: number;
  /** Not sent, because somebody or something wished so. */
  left: number;
}

const NONE: Outcome = { reached: 0, failed: 0, waiting: 0, left: 0 };

export function outcome(states: States): Outcome {
  const all = { ...NONE };
  for (const [state, count] of Object.entries(states)) all[kind(state)] += count;
  return all;
}

function kind(state: string): keyof Outcome {
  if (REACHED.includes(state)) return "reached";
  if (WAITING.includes(state)) return "waiting";
  return state === "failed" ? "failed" : "left";
}

/** The states of one channel, or of all together, on a day. */
export function statesOf(day: Day | undefined, channel: string | undefined): States {
  const all: States = {};
  for (const [name, states] of Object.entries(day?.channels ?? {})) {
    if (channel && name !== channel) continue;
    for (const [state, count] of Object.entries(states)) all[state] = (all[state] ?? 0) + count;
  }
  return all;
}

export function share(part: number, whole: number): string {
  return whole ? (part / whole).toLocaleString(undefined, { style: "percent", maximumFractionDigits: 1 }) : "–";
}

const STEPS: [string, number][] = [
  ["{n} s", 60],
  ["{n} min", 60],
  ["{n} h", 24],
  ["{n} d", Infinity],
];

/** "3.5 min": as exact as anybody reads. */
export function duration(seconds: number): string {
  let amount = seconds;
  for (const [words, size] of STEPS) {
    if (amount < size) return t(words, { n: amount.toLocaleString(undefined, { maximumFractionDigits: amount < 10 ? 1 : 0 }) });
    amount /= size;
  }
  return "";
}
