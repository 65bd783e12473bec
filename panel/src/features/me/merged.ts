import type { Change, Preferences, Wish } from "./preferences";

const MAPS = ["channels", "fallback", "topics"] as const;

/** What the server makes of a change: maps entry by entry, where null takes one away; the rest as it was sent. */
export function merged(before: Preferences, change: Change): Preferences {
  const after: Record<string, unknown> = { ...before, ...change };
  for (const name of MAPS) {
    const entries = { ...before[name], ...change[name] };
    after[name] = Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== null));
  }
  return after as Preferences;
}

/** A wish that says nothing is none. */
export function wished(wish: Wish): Wish | null {
  return wish.muted || wish.subscribed || wish.channels || wish.ignoreQuietHours ? wish : null;
}

/** Whether a topic reaches whoever wishes this of it; some reach only those who subscribe. */
export function reaches(wish: Wish, optIn: boolean): boolean {
  return !wish.muted && (!optIn || wish.subscribed === true);
}

export function switched(wish: Wish, optIn: boolean, on: boolean): Wish {
  return optIn ? { ...wish, muted: false, subscribed: on } : { ...wish, muted: !on };
}

/** Only these channels, of those by which somebody can be reached; all of them is no restriction. */
export function only(chosen: string[], ways: string[]): string[] | null {
  return ways.every((way) => chosen.includes(way)) ? null : chosen;
}
