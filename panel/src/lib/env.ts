import { create } from "zustand";
import { own } from "./place";
import { queries } from "./queries";
import { keep, kept } from "./store";

export type Env = "live" | "test";

interface EnvState {
  env: Env;
  choose: (env: Env) => void;
}

/** Whose choice it is; whoever has no switch is `tied` to one side. Nobody at first, and after signing out. */
interface Chooser {
  id: string;
  tied: boolean;
}

const KEPT = own("env");

let here: Chooser | null = null;
/** The side that an address named before anybody was here. */
let asked: Env | null = null;

/** Which side of the wall is looked at: real things, or the sandbox. */
export const useEnv = create<EnvState>((set) => ({
  env: "live",
  choose: (env) => {
    if (here?.tied) return;
    if (here) keep(KEPT, `${here.id} ${env}`);
    // What was read on the other side is not shown on this one.
    queries.clear();
    set({ env });
  },
}));

export const env = (): Env => useEnv.getState().env;

/** Goes to the side that an address names, `/notifications/...?env=live`. */
export function follow(path: string): void {
  const named = new URL(path, location.origin).searchParams.get("env");
  if (named !== "live" && named !== "test") return;
  if (!here) asked = named;
  else if (named !== env()) useEnv.getState().choose(named);
}

/**
 * Begins where this person was last on this browser, or where the address points, and never where somebody else was.
 * Without a switch it is always the side that the person is of: live, but for people of the sandbox.
 */
export function settle(id: string, of: Env, tied: boolean): void {
  if (here?.id === id && here.tied === tied) return;
  here = { id, tied };
  const next = tied ? of : (asked ?? lastOf(id) ?? of);
  if (next !== env()) queries.clear();
  if (asked && !tied) keep(KEPT, `${id} ${asked}`);
  asked = null;
  useEnv.setState({ env: next });
}

function lastOf(id: string): Env | null {
  const [whose, last] = (kept(KEPT) ?? "").split(" ");
  return whose === id && (last === "live" || last === "test") ? last : null;
}

/** Nobody is here any more. */
export function unsettle(): void {
  here = null;
  useEnv.setState({ env: "live" });
}
