import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";

export type Provider = Schemas["ProviderAnswer"];

/** Those with a guide of their own, under `/connections/<provider>`. */
export const GUIDED = new Set(["telegram", "whatsapp"]);

const MINUTES_5 = 300_000;

/** What people call a provider, once that is known. */
export function useTitles(): (provider: string) => string {
  const { data } = useProviders();
  return (name) => data?.find((each) => each.provider === name)?.title ?? name;
}

/** What can be connected; `realtime` needs no connection. */
export function useProviders() {
  return useQuery({
    queryKey: ["providers"],
    staleTime: MINUTES_5,
    queryFn: async ({ signal }) =>
      (await answered(api.GET("/api/v1/providers", { signal }))).filter((each) => each.provider !== "realtime"),
  });
}
