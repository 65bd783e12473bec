import { Spotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { allowed } from "@/app/places";
import { IconBuilding, IconSearch } from "@/components/ui/icons";
import { answered, api } from "@/lib/api";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { GROUPS } from "./places";

const SETTLE_MS = 200;
const SHORTEST = 2;

/** Places, and projects by their names: Ctrl K. */
export function Palette() {
  const [query, setQuery] = useState("");
  const go = useNavigate();
  const permissions = useSession((session) => session.me?.permissions ?? []);
  const places = allowed(GROUPS, permissions)
    .flatMap((group) => group.places)
    .map(({ to, name, icon: Picture }): SpotlightActionData => ({ id: to, label: name, leftSection: <Picture size={18} aria-hidden />, onClick: () => void go(to) }));
  return (
    <Spotlight
      actions={[...places, ...useProjects(query)]}
      query={query}
      onQueryChange={setQuery}
      highlightQuery
      scrollable
      maxHeight={420}
      nothingFound={t("Nothing has that name.")}
      searchProps={{ leftSection: <IconSearch size={18} aria-hidden />, placeholder: t("Go to, or find a project"), "aria-label": t("Search") }}
      attributes={{ content: { "aria-label": t("Search") } }}
    />
  );
}

function useProjects(query: string): SpotlightActionData[] {
  const go = useNavigate();
  const [search] = useDebouncedValue(query.trim(), SETTLE_MS);
  const { data } = useQuery({
    queryKey: ["projects", "found", search],
    enabled: search.length >= SHORTEST,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/projects", { params: { query: { search, limit: 8 } }, signal })),
  });
  return (data?.items ?? []).map(({ id, name, slug }) => ({
    id,
    label: name,
    description: slug,
    leftSection: <IconBuilding size={18} aria-hidden />,
    onClick: () => void go(`/projects/${id}`),
  }));
}
