import { create } from "zustand";
import { own } from "./place";
import { keep, kept } from "./store";

export type Env = "live" | "test";

interface EnvState {
  env: Env;
  choose: (env: Env) => void;
}

/** Which side of the wall is looked at: real things, or the sandbox. */
export const useEnv = create<EnvState>((set) => ({
  env: kept(own("env")) === "test" ? "test" : "live",
  choose: (env) => {
    keep(own("env"), env);
    set({ env });
  },
}));

export const env = (): Env => useEnv.getState().env;
