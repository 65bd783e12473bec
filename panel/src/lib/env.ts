import { create } from "zustand";
import { keep, kept } from "./store";

export type Env = "live" | "test";

interface EnvState {
  env: Env;
  choose: (env: Env) => void;
}

/** Which side of the wall is looked at: real things, or the sandbox. */
export const useEnv = create<EnvState>((set) => ({
  env: kept("env") === "test" ? "test" : "live",
  choose: (env) => {
    keep("env", env);
    set({ env });
  },
}));

export const env = (): Env => useEnv.getState().env;
