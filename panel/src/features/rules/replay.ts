import { useEffect, useRef, useState } from "react";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem, type Problem } from "@/lib/problem";

type Answer = Schemas["ReplayAnswer"];
export type Example = Schemas["ReplayExample"];
export type Change = Example["changes"][number];

export interface Found {
  counts: Schemas["ReplayCounts"];
  examples: Example[];
  lastEventAt: string | null;
}

interface Wanted {
  from: string;
  to: string;
  rule: Schemas["RuleCreate"] | null;
}

interface Progress {
  status: "running" | "stopping" | "stopped" | "done";
  wanted: Wanted;
  found: Found;
  /** Where to go on. */
  cursor: string | null;
  problem: Problem | null;
}

const MOST_EXAMPLES = 100;
const NOTHING: Found = {
  counts: { events: 0, matchedThen: 0, matchedNow: 0, newlyMatching: 0, noLongerMatching: 0, recipientsChanged: 0, textsChanged: 0, channelsChanged: 0, destinationsChanged: 0, priorityChanged: 0, soundChanged: 0, insistenceChanged: 0, digestChanged: 0, throttleChanged: 0, gatheredThen: 0, gatheredNow: 0, throttledThen: 0, throttledNow: 0, toldAgainThen: 0, toldAgainNow: 0, errors: 0 },
  examples: [],
  lastEventAt: null,
};

/** A replay, portion by portion, as the server gives them; it is stopped between two, since one under way cannot be taken back. */
export function useReplay(ruleId: string) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const stopping = useRef(false);
  useEffect(() => () => void (stopping.current = true), []);

  async function run(wanted: Wanted, from: { cursor: string | null; found: Found }) {
    stopping.current = false;
    let { cursor, found } = from;
    const show = (status: Progress["status"], problem: Problem | null = null) => setProgress({ status, wanted, found, cursor, problem });
    show("running");
    try {
      do {
        const answer = await portion(ruleId, wanted, cursor);
        cursor = answer.nextCursor;
        found = together(found, answer);
        show(cursor === null ? "done" : stopping.current ? "stopped" : "running");
      } while (cursor !== null && !stopping.current);
    } catch (error) {
      show("stopped", asProblem(error));
    }
  }

  return {
    progress,
    start: (wanted: Wanted) => void run(wanted, { cursor: null, found: NOTHING }),
    goOn: () => progress && void run(progress.wanted, progress),
    stop: () => {
      stopping.current = true;
      setProgress((now) => (now?.status === "running" ? { ...now, status: "stopping" } : now));
    },
  };
}

function portion(rule_id: string, { from, to, rule }: Wanted, cursor: string | null): Promise<Answer> {
  return answered(api.POST("/api/v1/rules/{rule_id}/replay", { params: { path: { rule_id } }, body: { from, to, rule, cursor, limit: 1_000 } }));
}

/** Two answers, one after the other, as one. */
export function together(before: Found, answer: Answer): Found {
  const names = Object.keys(before.counts) as (keyof Found["counts"])[];
  return {
    counts: Object.fromEntries(names.map((name) => [name, before.counts[name] + answer.counts[name]])) as Found["counts"],
    examples: [...before.examples, ...answer.examples].slice(0, MOST_EXAMPLES),
    lastEventAt: answer.lastEventAt ?? before.lastEventAt,
  };
}

/** How much of the time asked for has been looked at, of 100. */
export function share({ status, wanted, found }: Pick<Progress, "status" | "wanted" | "found">): number {
  if (status === "done") return 100;
  if (!found.lastEventAt) return 0;
  const [from, to, at] = [wanted.from, wanted.to, found.lastEventAt].map((time) => new Date(time).getTime()) as [number, number, number];
  return Math.min(99, Math.max(0, (100 * (at - from)) / (to - from)));
}
