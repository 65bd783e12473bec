import { useMutation } from "@tanstack/react-query";
import { tell } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";

export const again = () => queries.invalidateQueries({ queryKey: ["projects"] });

/** Changes what is sent of a project. */
export function useChange(id: string) {
  return useMutation({
    mutationFn: (body: Schemas["ProjectChange"]) => answered(api.PUT("/api/v1/platform/projects/{project_id}", { params: { path: { project_id: id } }, body })),
    onSuccess: async () => {
      tell(t("Saved."));
      await again();
    },
  });
}
