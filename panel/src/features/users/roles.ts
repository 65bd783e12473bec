import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";

export type Role = Schemas["RoleAnswer"];

export function useRoles(): Role[] {
  const may = useMay("roles:read");
  const { data } = useQuery({
    queryKey: ["roles", "all"],
    enabled: may,
    queryFn: async ({ signal }) => (await answered(api.GET("/api/v1/roles", { params: { query: { limit: 200 } }, signal }))).items,
  });
  return data ?? [];
}
