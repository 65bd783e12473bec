import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import type { Problem } from "@/lib/problem";

export type Project = Schemas["ProjectAnswer"];
export type Settings = Schemas["SettingsAnswer"];
export type SettingsUpdate = Schemas["SettingsUpdate"];

export function useProject() {
  return useQuery({
    queryKey: ["project", "one"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me", { signal })),
  });
}

export function useSettings() {
  return useQuery({
    queryKey: ["project", "settings"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/settings", { signal })),
  });
}

export const update = (body: SettingsUpdate) => answered(api.PUT("/api/v1/projects/me/settings", { body }));

/** What the project has one of at most; null, and not asked for, while nobody has set it up. */
export async function ifAny<T>(name: "domain" | "ssoIssuer", read: () => Promise<T>): Promise<T | null> {
  const project = await answered(api.GET("/api/v1/projects/me"));
  return project[name] === null ? null : read();
}

/** Messages by the fields of a form, wherever in the body they point: `/security/ipAllowList/0` belongs to `ipAllowList`. */
export function atFields({ errors }: Problem, names: string[]): Record<string, string> {
  const found = errors.flatMap(({ pointer, detail }) => {
    const name = pointer.split("/").find((part) => names.includes(part));
    return name ? [[name, detail] as const] : [];
  });
  return Object.fromEntries(found.reverse());
}
