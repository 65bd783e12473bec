import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";

export type Plan = Schemas["PlanAnswer"];

/** The catalogue, the cheapest first. */
export function usePlans() {
  return useQuery({
    queryKey: ["plans"],
    queryFn: async ({ signal }) => (await answered(api.GET("/api/v1/platform/plans", { signal }))).plans,
  });
}

/** What people call a plan; its name until the catalogue is there. */
export function usePlanLabel(): (name: string) => string {
  const { data } = usePlans();
  return (name) => data?.find((plan) => plan.name === name)?.label ?? name;
}
