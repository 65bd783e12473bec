import { create } from "zustand";
import { own } from "./place";
import { queries } from "./queries";
import { keep, kept } from "./store";

export type Env = "live" | "test";

interface EnvState {
  env: Env;
  choose: (env: Env) => void;
}

/** Which side of the wall is looked at: real things, or the sandbox. */
export const useEnv = create<EnvState>((set) => ({
  env: kept(own("env")) === "test" ? "test" : "live",
  // What was read on the other side is not shown on this one.
  choose: (env) => {
    queries.clear();
    keep(own("env"), env);
    set({ env });
  },
}));

export const env = (): Env => useEnv.getState().env;

/** Goes to the side that an address names, `/notifications/...?env=live`. */
export function follow(path: string): void {
  const asked = new URL(path, location.origin).searchParams.get("env");
  if ((asked === "live" || asked === "test") && asked !== env()) useEnv.getState().choose(asked);
}
