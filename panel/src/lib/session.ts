import { create } from "zustand";
import { answered, api, type Schemas } from "./api";
import { settle, unsettle } from "./env";
import { queries } from "./queries";
import { visitId } from "./place";
import { forget, mayReturn, onEnd, REFRESH, take, type Tokens } from "./tokens";
import { endHere, useVisit } from "./visit";

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
  const seen = visitId ? await asVisitor(me, visitId) : me;
  settle(seen.user.id, seen.user.env, ownOnly(seen));
  useSession.setState({ status: "in", me: seen });
}

/** An admin of the platform, in the project that they visit, with what they may there. */
async function asVisitor(me: Me, id: string): Promise<Me> {
  const visit = await answered(api.GET("/api/v1/platform/visits/{visit_id}", { params: { path: { visit_id: id } } }));
  useVisit.setState({ visit });
  if (visit.permissions.length === 0) {
    endHere();
    return me;
  }
  const project = await answered(api.GET("/api/v1/projects/me"));
  return { ...me, project, permissions: visit.permissions };
}

export async function leave(): Promise<void> {
  await api.POST("/api/v1/auth/logout").catch(() => {});
  forget();
  out();
}

function out(): void {
  queries.clear();
  useSession.setState(OUT);
  unsettle();
}

onEnd(out);

// Whoever signs out in one tab is signed out in all of them.
globalThis.addEventListener?.("storage", (event) => {
  if (event.key === `tocsin.${REFRESH}` && event.newValue === null) out();
});

const ownOnly = ({ permissions }: Me): boolean => permissions.every((name) => name === "own:manage");

/** Whether somebody has nothing here but what is their own. */
export function useOwnOnly(): boolean {
  return useSession(({ me }) => me !== null && ownOnly(me));
}

/** Whether whoever is signed in holds a permission. The server decides; this only hides what it would refuse. */
export function useMay(permission: string): boolean {
  return useSession((session) => session.me?.permissions.includes(permission) ?? false);
}
