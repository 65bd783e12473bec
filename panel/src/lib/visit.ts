import { create } from "zustand";
import type { components } from "./schema";

export type Visit = components["schemas"]["OneVisit"];

/** The visit of a platform admin that this panel is opened in, if it is. What is over does not begin again. */
export const useVisit = create<{ visit: Visit | null; over: boolean }>(() => ({ visit: null, over: false }));

/** Calls that are the admin's own, and not made inside the project. */
const OWN = /^\/api\/v1\/(platform\/|auth\/(me|logout)$)/;

/** The project that a call is made in, which its token does not say. */
export function inside(path: string): string | null {
  return OWN.test(path) ? null : (useVisit.getState().visit?.project.id ?? null);
}

export function endHere(): void {
  useVisit.setState({ over: true });
}
