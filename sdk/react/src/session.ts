import { Problem, problemOf } from "./problem.js";

/** Where Tocsin is, which project and environment are meant, and who says who the person is. */
export interface Access {
  /** The installation's address, `https://tocsin.example.com`. */
  url: string;
  /** The project's public key, `pk_live_...` or `pk_test_...`. */
  apiKey: string;
  /** A new identity token of the person, each time it is called: each one is good for one use. */
  getToken: () => Promise<string>;
}

interface Tokens {
  accessToken: string;
  refreshToken: string;
  expiresIn: number;
}

interface Kept {
  person: string;
  refreshToken: string;
}

const EARLY_MS = 30_000;
const MOST_MS = 20_000;

/**
 * A person's session with Tocsin, begun with an identity token and renewed by itself.
 *
 * The access token lives in memory. The refresh token is kept in `localStorage`, so that tabs and reloads share one
 * session; it is used only for the person of whom the identity token speaks, so nobody inherits somebody else's.
 */
export class Session {
  private access: { token: string; until: number } | null = null;
  private renewing: Promise<string> | null = null;
  private person: string | null = null;
  private readonly store: string;

  constructor(private readonly given: Access) {
    this.store = `tocsin.${given.apiKey}`;
  }

  get apiKey(): string {
    return this.given.apiKey;
  }

  get url(): URL {
    return new URL(this.given.url);
  }

  async userId(): Promise<string> {
    return String(claims(await this.token()).sub);
  }

  /** What the API answers to this person. Throws Problem. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = await this.token();
    let answer = await this.send(method, path, body, token);
    if (answer.status === 401) answer = await this.send(method, path, body, await this.token(token));
    if (!answer.ok) throw await problemOf(answer);
    return (answer.status === 204 ? null : await answer.json()) as T;
  }

  /** Sign out on the server, in this browser. */
  async end(): Promise<void> {
    if (this.access) await this.send("POST", "/auth/logout", undefined, this.access.token).catch(() => null);
    this.access = null;
    this.keep(null);
  }

  /** The token that was used up to now counts no more, as far as the server says. */
  doubt(): void {
    this.access = null;
  }

  /** One that counts; with `spent`, one that is not that. */
  private async token(spent?: string): Promise<string> {
    if (this.access && this.access.until > Date.now() && this.access.token !== spent) return this.access.token;
    this.renewing ??= alone(this.store, () => this.renew()).finally(() => (this.renewing = null));
    return this.renewing;
  }

  private async renew(): Promise<string> {
    let identity: string | null = null;
    if (this.person === null) {
      identity = await this.given.getToken();
      this.person = String(claims(identity).sub);
    }
    const tokens = (await this.refreshed()) ?? (await this.begun(identity ?? (await this.given.getToken())));
    this.access = { token: tokens.accessToken, until: Date.now() + tokens.expiresIn * 1000 - EARLY_MS };
    this.keep({ person: this.person, refreshToken: tokens.refreshToken });
    return this.access.token;
  }

  /** By the session of last time, if it is this person's and still counts. */
  private async refreshed(): Promise<Tokens | null> {
    const kept = this.kept();
    if (kept?.person !== this.person) return null;
    const answer = await this.send("POST", "/auth/refresh", { refreshToken: kept.refreshToken });
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) return null;
    if (!answer.ok) throw await problemOf(answer);
    return ((await answer.json()) as { tokens: Tokens }).tokens;
  }

  private async begun(identityToken: string): Promise<Tokens> {
    this.person = String(claims(identityToken).sub);
    const answer = await this.send("POST", "/users/register", { identityToken });
    if (!answer.ok) throw await problemOf(answer);
    return ((await answer.json()) as { tokens: Tokens }).tokens;
  }

  private async send(method: string, path: string, body: unknown, token?: string): Promise<Response> {
    const sandbox = this.given.apiKey.startsWith("pk_test_");
    const headers: Record<string, string> = {
      ...(token ? { Authorization: `Bearer ${token}`, "X-Tocsin-Env": sandbox ? "test" : "live" } : {}),
      ...(path === "/users/register" ? { "X-API-Key": this.given.apiKey } : {}),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    };
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(MOST_MS) };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await fetch(new URL(`/api/v1${path}`, this.given.url), init);
    } catch {
      throw new Problem(0, "unreachable", "The server cannot be reached.");
    }
  }

  private kept(): Kept | null {
    try {
      return JSON.parse(localStorage.getItem(this.store) ?? "null") as Kept | null;
    } catch {
      return null;
    }
  }

  private keep(kept: Kept | null): void {
    try {
      if (kept) localStorage.setItem(this.store, JSON.stringify(kept));
      else localStorage.removeItem(this.store);
    } catch {
      // A browser that keeps nothing begins a new session with each page.
    }
  }
}

/** One tab at a time renews. Without locks (plain http) the server's grace for a spent refresh token covers two. */
function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  return navigator.locks ? (navigator.locks.request(name, work) as Promise<T>) : work();
}

/** What a token says; whether it is true, the server judges. */
export function claims(token: string): Record<string, unknown> {
  try {
    const part = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    throw new Problem(0, "invalid_identity_token", "What getToken gave is not a JWT.");
  }
}
