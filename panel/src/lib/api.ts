import createClient from "openapi-fetch";
import { env } from "./env";
import { ofPlatform } from "./place";
import { Problem, problemOf, unreachable } from "./problem";
import type { components, paths } from "./schema";
import { accessToken } from "./tokens";
import { endHere, inside } from "./visit";

const ENV = "X-Tocsin-Env";

export type Schemas = components["schemas"];

/** Calls as whoever is signed in, in the environment on the switch unless the call names one. */
export const api = createClient<paths>({ fetch: authorized });

/** Calls as nobody: signing up and in. */
export const open = createClient<paths>({ fetch: (request) => reached(request) });

/** What an operation answers; a refusal was thrown before. */
export async function answered<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T;
}

export async function authorized(request: Request): Promise<Response> {
  const project = inside(new URL(request.url).pathname);
  if (project) request.headers.set("X-Tenant-Id", project);
  if ((project || !ofPlatform) && !request.headers.has(ENV)) request.headers.set(ENV, env());
  const again = request.clone();
  const token = await accessToken();
  request.headers.set("Authorization", `Bearer ${token}`);
  try {
    return await reached(request);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) throw error;
    again.headers.set("Authorization", `Bearer ${await accessToken(token)}`);
    return reached(again);
  }
}

async function reached(request: Request): Promise<Response> {
  const answer = await fetch(request).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  });
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.code === "login_as_required") endHere();
  throw problem;
}
