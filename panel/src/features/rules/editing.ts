import { useState } from "react";
import type { Problem } from "@/lib/problem";
import { changesOf, type Draft } from "./draft";

export interface Editing {
  values: Draft;
  set: (changes: Partial<Draft>) => void;
  /** What is wrong with a field or with anything in it, such as `escalation.0`; `exactly` with the field alone. */
  error: (path: string, exactly?: boolean) => string | undefined;
  refuse: (problem: Problem) => void;
  changes: Partial<Draft>;
  dirty: boolean;
  /** Somebody else has changed the rule since this began. */
  behind: boolean;
  /** The version that is edited: what shows it begins anew with each. */
  version: number;
  restart: (draft: Draft, version: number) => void;
}

/** A rule while it is edited. What others change meanwhile is taken over as long as nothing was typed. */
export function useEditing(draft: Draft, version: number): Editing {
  const [begun, setBegun] = useState({ draft, version });
  const [values, setValues] = useState(draft);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const changes = changesOf(begun.draft, values);
  const dirty = Object.keys(changes).length > 0;

  function restart(next: Draft, nextVersion: number) {
    setBegun({ draft: next, version: nextVersion });
    setValues(next);
    setErrors({});
  }
  if (version > begun.version && !dirty) restart(draft, version);

  return {
    values,
    set: (sent) => {
      setValues((before) => ({ ...before, ...sent }));
      setErrors((before) => without(before, Object.keys(sent)));
    },
    error: (path, exactly = false) => Object.entries(errors).find(([at]) => at === path || (!exactly && at.startsWith(`${path}.`)))?.[1],
    refuse: (problem) => setErrors(problem.byField),
    changes,
    dirty,
    behind: version > begun.version,
    version: begun.version,
    restart,
  };
}

function without(errors: Record<string, string>, fields: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(errors).filter(([at]) => !fields.includes(at.split(".")[0]!)));
}
