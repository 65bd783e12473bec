import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";

export type Connection = Schemas["ConnectionAnswer"];

const LOOK_AGAIN_MS = 2_000;

const at = (id: string) => ({ params: { path: { connection_id: id } } });

/** A connection that is being set up, and how far it is; both look again by themselves until `settled`. */
export function useProgress(id: string | undefined, settled: (steps: (boolean | null)[]) => boolean) {
  const connection = useQuery({
    queryKey: ["connections", "one", id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}", { ...at(id!), signal })),
  });
  const setup = useQuery({
    queryKey: ["connections", "setup", id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/setup", { ...at(id!), signal })),
    refetchInterval: ({ state }) => (state.data && settled(state.data.steps.map((step) => step.done)) ? false : LOOK_AGAIN_MS),
  });
  return { one: connection.data, error: connection.error ?? setup.error, setup: setup.data };
}

export const works = (one: Connection | undefined): boolean => one?.status === "active" || one?.status === "rate_limited";

/** Makes the connection, or changes the one that there is. */
export async function stored(id: string | undefined, body: Schemas["ConnectionCreate"]): Promise<string> {
  if (!id) return (await answered(api.POST("/api/v1/connections", { body }))).id;
  const { settings, credentials } = body;
  await answered(api.PUT("/api/v1/connections/{connection_id}", { ...at(id), body: { settings, ...(credentials && { credentials }) } }));
  return id;
}

export const verified = (id: string, body: Schemas["VerifyBody"]) =>
  answered(api.POST("/api/v1/connections/{connection_id}/verify", { ...at(id), body }));
