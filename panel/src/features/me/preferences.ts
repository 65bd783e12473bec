import { useMutation, useQuery } from "@tanstack/react-query";
import { tellProblem } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { merged } from "./merged";
import { of, useMe } from "./me";

export type Preferences = Schemas["PreferencesAnswer"];
export type Change = Schemas["PreferencesUpdate"];
export type Wish = Schemas["TopicWishAnswer"];

/** One's preferences, and how to change some of them: shown at once, and taken back where the server refuses. */
export function usePreferences() {
  const { id } = useMe();
  const key = ["users", "preferences", id];
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}/preferences", { ...of(id), signal })),
  });
  const changing = useMutation({
    mutationKey: key,
    scope: { id: "preferences" },
    mutationFn: (body: Change) => answered(api.PUT("/api/v1/users/{user_id}/preferences", { ...of(id), body })),
    onMutate: async (change) => {
      await queries.cancelQueries({ queryKey: key });
      const before = queries.getQueryData<Preferences>(key);
      if (before) queries.setQueryData(key, merged(before, change));
    },
    onError: tellProblem,
    // Only after the last of several: what is read before it would take back what is shown already.
    onSettled: () => (queries.isMutating({ mutationKey: key }) === 1 ? queries.invalidateQueries({ queryKey: key }) : undefined),
  });
  return { ...query, change: changing.mutate, saving: changing.isPending };
}
