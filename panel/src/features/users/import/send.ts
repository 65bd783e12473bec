import { answered, api } from "@/lib/api";
import { asProblem, type Problem } from "@/lib/problem";
import type { Checked } from "./fields";

/** As many as one call takes. */
export const STEP = 1_000;

export interface Refused {
  line: number;
  why: string;
}

export interface Progress {
  /** How many of the people were dealt with, in one way or the other. */
  done: number;
  created: number;
  updated: number;
  refused: Refused[];
}

export const BEGUN: Progress = { done: 0, created: 0, updated: 0, refused: [] };

/**
 * Brings people in, step by step, from where an earlier try ended. A step is all or none: rows that the server refuses
 * are named and left out, and the others of the step come again. Throws what has nothing to do with a single row.
 */
export async function bring(people: Checked[], from: Progress, tell: (progress: Progress) => void, signal: AbortSignal): Promise<void> {
  let progress = from;
  while (progress.done < people.length && !signal.aborted) {
    const step = people.slice(progress.done, progress.done + STEP);
    const { created, updated, refused } = await oneStep(step, signal);
    progress = {
      done: progress.done + step.length,
      created: progress.created + created,
      updated: progress.updated + updated,
      refused: [...progress.refused, ...refused],
    };
    tell(progress);
  }
}

/** Each refusal takes rows out, so this ends. */
async function oneStep(step: Checked[], signal: AbortSignal): Promise<Omit<Progress, "done">> {
  const refused: Refused[] = [];
  let left = step;
  while (left.length) {
    try {
      const { created, updated } = await answered(api.POST("/api/v1/users/sync", { body: { users: left.map(({ person }) => person) }, signal }));
      return { created, updated, refused };
    } catch (error) {
      const wrong = byRow(asProblem(error));
      if (!wrong.size) throw error;
      left.forEach(({ row }, place) => wrong.has(place) && refused.push({ line: row.line, why: wrong.get(place)! }));
      left = left.filter((_, place) => !wrong.has(place));
    }
  }
  return { created: 0, updated: 0, refused };
}

/** What a refusal says of single rows: `/users/17/email` is about the eighteenth. */
function byRow({ errors }: Problem): Map<number, string> {
  const found = new Map<number, string>();
  for (const { pointer, detail } of errors) {
    const [, row, field] = /^\/users\/(\d+)(?:\/(\w+))?/.exec(pointer) ?? [];
    if (row === undefined) continue;
    const words = field ? `${field}: ${detail}` : detail;
    found.set(Number(row), [found.get(Number(row)), words].filter(Boolean).join("; "));
  }
  return found;
}
