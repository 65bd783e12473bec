import { create } from "zustand";
import { answered, api, type Schemas } from "./api";
import { queries } from "./queries";
import { forget, mayReturn, onEnd, take, type Tokens } from "./tokens";

export type Me = Schemas["MeAnswer"];
export type KeyPair = Schemas["KeyPair"];

interface Session {
  status: "starting" | "out" | "in";
  me: Me | null;
  /** The pair of test keys of a sign-up: shown once, so it is gone with the page. */
  testKey: KeyPair | null;
}

export const useSession = create<Session>(() => ({ status: "starting", me: null, testKey: null }));

const OUT: Session = { status: "out", me: null, testKey: null };

/** Go on with the session of last time, if it still counts. */
export async function resume(): Promise<void> {
  if (!mayReturn()) return useSession.setState(OUT);
  try {
    await reread();
  } catch {
    useSession.setState(OUT);
  }
}

export async function enter(tokens: Tokens, testKey: KeyPair | null = null): Promise<void> {
  take(tokens);
  queries.clear();
  await reread();
  useSession.setState({ testKey });
}

export async function reread(): Promise<void> {
  const me = await answered(api.GET("/api/v1/auth/me"));
  useSession.setState({ status: "in", me });
}

export async function leave(): Promise<void> {
  await api.POST("/api/v1/auth/logout").catch(() => {});
  forget();
  out();
}

function out(): void {
  queries.clear();
  useSession.setState(OUT);
}

onEnd(out);

// Whoever signs out in one tab is signed out in all of them.
globalThis.addEventListener?.("storage", (event) => {
  if (event.key === "tocsin.refresh" && event.newValue === null) out();
});

/** Whether whoever is signed in holds a permission. The server decides; this only hides what it would refuse. */
export function useMay(permission: string): boolean {
  return useSession((session) => session.me?.permissions.includes(permission) ?? false);
}
