import { own } from "./place";
import { Problem, problemOf, unreachable } from "./problem";
import { keep, kept } from "./store";

/**
 * The tokens of this browser. The access token lives in memory alone. The refresh token is kept, because a reload
 * must not sign anybody out; it changes at every use, and using a spent one ends the session for whoever stole it.
 */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
}

/** Where the refresh token is kept; what is signed in to one panel is not to the other. */
export const REFRESH = own("refresh");
const EARLY_MS = 30_000;

let access: { token: string; until: number } | null = null;
let renewing: Promise<string> | null = null;
let ended: () => void = () => {};

export function onEnd(listener: () => void): void {
  ended = listener;
}

export function take(tokens: Tokens): void {
  access = { token: tokens.accessToken, until: Date.now() + tokens.expiresIn * 1000 - EARLY_MS };
  keep(REFRESH, tokens.refreshToken);
}

export function forget(): void {
  access = null;
  keep(REFRESH, null);
}

export const mayReturn = (): boolean => kept(REFRESH) !== null;

/** A token that counts; with `spent`, one that is not that. */
export async function accessToken(spent?: string): Promise<string> {
  if (access && access.until > Date.now() && access.token !== spent) return access.token;
  renewing ??= alone(renew).finally(() => (renewing = null));
  return renewing;
}

/** One tab at a time renews, with the newest refresh token. Without locks (plain http) the server's grace covers two. */
function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? (navigator.locks.request(`tocsin.${REFRESH}`, work) as Promise<T>) : work();
}

async function renew(): Promise<string> {
  const refreshToken = kept(REFRESH);
  if (!refreshToken) throw signedOut();
  const answer = await fetch("/api/v1/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refreshToken }),
  }).catch(() => {
    throw unreachable();
  });
  if (answer.status === 401 || answer.status === 403) {
    forget();
    ended();
    throw signedOut();
  }
  if (!answer.ok) throw await problemOf(answer);
  take(((await answer.json()) as { tokens: Tokens }).tokens);
  return access!.token;
}

function signedOut(): Problem {
  return new Problem(401, "signed_out", "You are signed out.");
}
