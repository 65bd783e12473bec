import { useQuery } from "@tanstack/react-query";
import { answered, api } from "@/lib/api";

/** How the project stands against its plan, and its last months. */
export function useMonths(may = true) {
  return useQuery({
    enabled: may,
    queryKey: ["project", "usage", "monthly"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/usage", { params: { query: { period: "monthly" } }, signal })),
  });
}
