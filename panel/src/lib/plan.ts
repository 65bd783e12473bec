import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";

export type Lack = Schemas["LackedAnswer"];

/** How the project stands against its plan, and its last months. */
export function useMonths(may = true) {
  return useQuery({
    enabled: may,
    queryKey: ["project", "usage", "monthly"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/usage", { params: { query: { period: "monthly" } }, signal })),
  });
}

/** What the plan does not have of it; null where it does, or where the reader may not know and only the server can say. */
export function useLack(feature: string): Lack | null {
  const { data } = useMonths(useMay("project:read"));
  return data?.lacks.find((each) => each.feature === feature) ?? null;
}
