/** What the fields of a rule offer, as far as whoever edits may know of it. */
import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { useProviders } from "../connections/providers";

const MINUTE_MS = 60_000;
const MOST_CONNECTIONS = 20;

export type Sound = Schemas["SoundAnswer"];

/** Every channel, and those that reach people one by one. */
export function useChannels(): { all: string[]; personal: Set<string> } {
  const providers = useProviders().data ?? [];
  const all = ["realtime", ...providers.map((each) => each.channel)];
  const personal = providers.filter((each) => each.reaches === "person").map((each) => each.channel);
  return { all: [...new Set(all)], personal: new Set(["realtime", ...personal]) };
}

/** Names of the project's places that are no persons. */
export function useDestinations(): string[] {
  const may = useMay("connections:read");
  const { data: providers } = useProviders();
  const having = new Set(providers?.filter((each) => each.hasDestinations).map((each) => each.provider));
  const { data } = useQuery({
    queryKey: ["destinations", "names", [...having]],
    enabled: may && having.size > 0,
    staleTime: MINUTE_MS,
    queryFn: async ({ signal }) => {
      const { items } = await answered(api.GET("/api/v1/connections", { params: { query: { limit: 200 } }, signal }));
      const ours = items.filter((each) => each.owner === "project" && having.has(each.provider)).slice(0, MOST_CONNECTIONS);
      const places = await Promise.all(ours.map(({ id }) => readDestinations(id, signal)));
      return [...new Set(places.flatMap((each) => each.items.map((place) => place.name)))].sort();
    },
  });
  return data ?? [];
}

function readDestinations(connection_id: string, signal: AbortSignal) {
  const params = { path: { connection_id }, query: { limit: 200 } };
  return answered(api.GET("/api/v1/connections/{connection_id}/destinations", { params, signal }));
}

export function useTopics(): Schemas["TopicAnswer"][] {
  const may = useMay("rules:read");
  const { data } = useQuery({
    queryKey: ["topics"],
    enabled: may,
    staleTime: MINUTE_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/topics", { signal })),
  });
  return data ?? [];
}

/** Sounds by name, those of the project before built-in ones of the same name, and which is heard where a rule names none. */
export function useSounds(): { sounds: Map<string, Sound>; defaults: Schemas["SoundDefaultsAnswer"] | undefined } {
  const may = useMay("sounds:read");
  const { data } = useQuery({
    queryKey: ["sounds", "all"],
    enabled: may,
    staleTime: MINUTE_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/sounds", { params: { query: { limit: 200 } }, signal })),
  });
  const { data: defaults } = useQuery({
    queryKey: ["sounds", "defaults"],
    enabled: may,
    staleTime: MINUTE_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/sounds/defaults", { signal })),
  });
  const listed = data?.items ?? [];
  return { sounds: new Map(listed.toReversed().map((sound) => [sound.name, sound])), defaults };
}

/** Names of templates whose words a rule may take, for a notification or for a digest of several. */
export function useTemplates(kind: "notification" | "digest"): string[] {
  const { data } = useQuery({
    queryKey: ["templates", "names", kind],
    staleTime: MINUTE_MS,
    queryFn: async ({ signal }) =>
      (await answered(api.GET("/api/v1/templates", { params: { query: { kind, limit: 200 } }, signal }))).items,
  });
  return [...new Set(data?.map((each) => each.name))].sort();
}
